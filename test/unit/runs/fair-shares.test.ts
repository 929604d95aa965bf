import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFairShares, type FairShares } from '../../../src/runs/fair-shares.ts';
import type { QueuedShare } from '../../../src/runs/ports.ts';

const unbounded = () => Infinity;

function queued(counts: Record<string, number>, provider = 'vendor'): QueuedShare[] {
  return Object.entries(counts).map(([lineage, runs]) => ({ provider, lineage, runs }));
}

function picked(shares: readonly QueuedShare[]): Record<string, number> {
  return Object.fromEntries(shares.map(({ lineage, runs }) => [lineage, runs]));
}

/** Who is picked, one run at a time. */
function order(shares: FairShares, backlog: Record<string, number>, picks: number): string {
  const left = { ...backlog };
  return Array.from({ length: picks }, () => {
    const lineage = shares.pick(queued(left), unbounded, 1)[0]?.lineage ?? '-';
    left[lineage] = (left[lineage] ?? 0) - 1;
    return lineage;
  }).join('');
}

describe('fair shares', () => {
  it('are nothing of nothing', () => {
    const shares = createFairShares();
    expect(shares.pick([], unbounded, 10)).toEqual([]);
    expect(shares.pick(queued({ a: 3 }), () => 0, 10)).toEqual([]);
    expect(shares.pick(queued({ a: 3 }), unbounded, 0)).toEqual([]);
    expect(shares.pick(queued({ a: 0 }), unbounded, 10)).toEqual([]);
  });

  it('are everything where there is room for it', () => {
    expect(picked(createFairShares().pick(queued({ a: 3, b: 5 }), unbounded, Infinity))).toEqual({ a: 3, b: 5 });
  });

  it('give what one key does not need to the others', () => {
    expect(picked(createFairShares().pick(queued({ flood: 1_000, few: 2, some: 4 }), () => 12, 100))).toEqual({
      flood: 6,
      few: 2,
      some: 4,
    });
  });

  it('let keys take turns over many picks, too', () => {
    expect(order(createFairShares(), { a: 5, b: 5, c: 2 }, 12)).toBe('abcabcababab');
  });

  it('let a key that comes anew wait for one run of each other at most', () => {
    const shares = createFairShares();
    order(shares, { a: 1_000, b: 1_000 }, 500);
    expect(order(shares, { a: 1_000, b: 1_000, n: 3 }, 9).replaceAll(/[ab]/g, '.')).toMatch(/^\.{0,2}n\.\.n\.\.n\.*$/);
  });

  it('let nobody save up turns while away, or gain by coming back again and again', () => {
    const shares = createFairShares();
    order(shares, { a: 100, b: 1 }, 50);
    expect(order(shares, { a: 100, b: 100 }, 10).split('b')).toHaveLength(6);
    // One run at a time, another as soon as it is begun.
    const turns = Array.from({ length: 10 }, () => order(shares, { a: 1_000, b: 1 }, 1)).join('');
    expect(turns.split('b')).toHaveLength(6);
  });

  it('let providers take turns for the total, so that one with a long queue does not take it all', () => {
    const shares = createFairShares();
    const backlog = [...queued({ a: 1_000 }, 'long'), ...queued({ b: 4 }, 'short'), ...queued({ c: 9 }, 'full')];
    const room = (provider: string) => (provider === 'full' ? 0 : 100);
    expect(shares.pick(backlog, room, 10)).toEqual([
      { provider: 'long', lineage: 'a', runs: 6 },
      { provider: 'short', lineage: 'b', runs: 4 },
    ]);
    const single = [...queued({ a: 9 }, 'long'), ...queued({ b: 9 }, 'short')];
    const turns = Array.from({ length: 6 }, () => shares.pick(single, unbounded, 1)[0]?.lineage).join('');
    expect(turns.split('b')).toHaveLength(4);
  });

  it('keep every key within one run of each other that has runs all along, and waste no room', () => {
    const picks = fc.array(fc.record({ total: fc.nat({ max: 12 }), room: fc.nat({ max: 12 }) }), { maxLength: 40 });
    const backlogs = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: 1, max: 30 }));
    fc.assert(
      fc.property(backlogs, picks, (backlog, rounds) => {
        const shares = createFairShares();
        const left = { ...backlog };
        const served: Record<string, number> = {};
        for (const { total, room } of rounds) {
          const waiting = Object.values(left).reduce((sum, runs) => sum + runs, 0);
          const got = picked(shares.pick(queued(left), () => room, total));
          expect(Object.values(got).reduce((sum, runs) => sum + runs, 0)).toBe(Math.min(waiting, total, room));
          for (const [lineage, runs] of Object.entries(got)) {
            expect(runs).toBeLessThanOrEqual(left[lineage] ?? 0);
            served[lineage] = (served[lineage] ?? 0) + runs;
            left[lineage] = (left[lineage] ?? 0) - runs;
          }
          for (const lineage of Object.keys(left).filter((lineage) => (left[lineage] ?? 0) > 0)) {
            for (const other of Object.keys(left)) {
              expect((served[other] ?? 0) - (served[lineage] ?? 0)).toBeLessThanOrEqual(1);
            }
          }
        }
      }),
    );
  });

  it('are found quickly for many keys', () => {
    const shares = createFairShares();
    const many = Array.from({ length: 10_000 }, (_, i) => ({ provider: 'vendor', lineage: `key-${i}`, runs: 50 }));
    const got = shares.pick(many, unbounded, 15_000);
    expect(new Set(got.map(({ runs }) => runs))).toEqual(new Set([1, 2]));
  });
});

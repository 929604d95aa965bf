import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RateLimitSeen } from '../../../src/runs/model.ts';
import { createPacing, type PacedTarget, type Pacing } from '../../../src/runs/pacing.ts';

const NONE = { concurrency: null, requestsPerMinute: null };
const EPOCH_MS = 1_800_000_000_000;
const PROVIDER = { name: 'vendor', limits: { ...NONE, perCredential: NONE } };
const TARGET: PacedTarget = { provider: PROVIDER, credentialId: 'key' };

let nowMs: number;
let wallMs: number;
let pacing: Pacing;

beforeEach(() => {
  nowMs = 0;
  wallMs = EPOCH_MS;
  pacing = createPacing({
    clock: { now: () => wallMs, monotonic: () => nowMs },
    counts: { busyAt: () => 0, busyWith: () => 0 },
  });
});

function pass(ms: number): void {
  nowMs += ms;
  wallMs += ms;
}

/** `resetMs` and `agoMs` from now. */
function tell({ agoMs = 0, resetMs, ...seen }: { remaining: number; resetMs: number; limit?: number; agoMs?: number }) {
  const told: RateLimitSeen = { limit: null, ...seen, reset: wallMs + resetMs, observedAt: wallMs - agoMs };
  pacing.told({ provider: 'vendor', credentialId: 'key' }, told);
}

function takeAll(): number {
  let taken = 0;
  while (taken < 1_000 && pacing.waitMs(TARGET) === 0) {
    pacing.take(TARGET).release();
    taken++;
  }
  return taken;
}

const left = () => pacing.room(PROVIDER, ['key']);

describe('what a vendor says is left', () => {
  it('bounds the starts until the reset, of this credential alone', () => {
    tell({ remaining: 2, resetMs: 30_000 });
    expect([left(), pacing.room(PROVIDER, ['key', 'other'])]).toEqual([2, Infinity]);
    expect([takeAll(), pacing.waitMs(TARGET)]).toEqual([2, 31_000]);
    pass(31_000);
    expect(pacing.waitMs(TARGET)).toBe(0);
  });

  it('is not used up by starts that were never written', () => {
    tell({ remaining: 3, resetMs: 60_000 });
    for (let i = 0; i < 3; i++) pacing.take(TARGET).undo();
    expect([left(), pacing.waitMs(TARGET)]).toEqual([3, 0]);
    const written = pacing.take(TARGET);
    written.release();
    written.undo();
    expect(left()).toBe(2);
    const early = pacing.take(TARGET);
    pass(100);
    tell({ remaining: 1, resetMs: 59_900 });
    early.undo();
    // The answer of the vendor, which knows of no start on its way, has the last word.
    expect(left()).toBe(1);
    const late = pacing.take(TARGET);
    pass(60_000 + 1_000);
    late.undo();
    expect(left()).toBe(Infinity);
  });

  it('does not rise by answers of the same window, which may not know of starts on their way', () => {
    tell({ remaining: 5, resetMs: 30_000 });
    for (let i = 0; i < 4; i++) pacing.take(TARGET);
    tell({ remaining: 4, resetMs: 30_000 });
    tell({ remaining: 3, resetMs: 30_900 });
    expect(left()).toBe(1);
    tell({ remaining: 0, resetMs: 30_000 });
    expect(left()).toBe(0);
  });

  it('is lessened by starts that left since the answer was seen', () => {
    tell({ remaining: 9, resetMs: 30_000 });
    pass(500);
    pacing.take(TARGET);
    pass(500);
    tell({ remaining: 3, resetMs: 29_000, agoMs: 800 });
    expect(left()).toBe(2);
  });

  it('rises with a later reset, save for starts that may still be on their way', () => {
    tell({ remaining: 0, resetMs: 5_000 });
    pacing.take(TARGET);
    pass(3_000);
    pacing.take(TARGET);
    tell({ remaining: 10, resetMs: 60_000 });
    expect(left()).toBe(9);
  });

  it('is not changed by an answer of an older window, or of one that is over', () => {
    tell({ remaining: 4, resetMs: 60_000 });
    tell({ remaining: 90, resetMs: 10_000, agoMs: 20_000 });
    tell({ remaining: 0, resetMs: -5_000, agoMs: 20_000 });
    expect(left()).toBe(4);
  });

  it('is the vendor’s limit in the next window, so that not everything leaves at once', () => {
    tell({ remaining: 0, limit: 10, resetMs: 20_000 });
    expect([pacing.waitBehindMs(TARGET, 9), pacing.waitBehindMs(TARGET, 10)]).toEqual([21_000, 41_000]);
    pass(21_000);
    expect(takeAll()).toBe(10);
    tell({ remaining: 9, limit: 10, resetMs: 59_000 });
    expect([left(), pacing.waitMs(TARGET)]).toEqual([0, 60_000]);
  });

  it('rises at once where the limit itself was raised', () => {
    tell({ remaining: 0, limit: 10, resetMs: 20_000 });
    tell({ remaining: 90, limit: 100, resetMs: 20_000 });
    expect(left()).toBe(90);
  });

  it('is no longer believed when nothing was heard for an hour', () => {
    tell({ remaining: 0, limit: 10, resetMs: 20_000 });
    pass(3_600_000);
    expect(left()).toBe(Infinity);
  });

  it('stops a credential for a day at most, whatever unit the vendor mixed up', () => {
    tell({ remaining: 0, resetMs: 1e12 });
    expect(pacing.waitMs(TARGET)).toBe(86_401_000);
  });

  it('does not mind a wall clock that jumps', () => {
    tell({ remaining: 0, resetMs: 30_000 });
    wallMs += 3_600_000;
    expect(pacing.waitMs(TARGET)).toBe(31_000);
  });

  it('bounds nothing without a reset, and is shown all the same until it is old', () => {
    pacing.told(TARGET_NAMES, { limit: 10, remaining: 7, reset: null, observedAt: wallMs });
    pacing.told(TARGET_NAMES, { limit: 10, remaining: null, reset: wallMs + 1_000, observedAt: wallMs });
    expect([left(), pacing.allowances()]).toEqual([Infinity, [{ ...TARGET_NAMES, remaining: 7 }]]);
    pass(60_000);
    expect(pacing.allowances()).toEqual([]);
  });

  it('is shown as the vendor said it last, until the reset', () => {
    tell({ remaining: 5, resetMs: 30_000 });
    pacing.take(TARGET);
    expect(pacing.allowances()).toEqual([{ ...TARGET_NAMES, remaining: 5 }]);
    pass(31_000);
    expect(pacing.allowances()).toEqual([]);
  });

  it('is never exceeded between two answers of the same window', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('tell' as const),
          remaining: fc.nat({ max: 8 }),
          agoMs: fc.nat({ max: 400 }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 300 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 80 }), (steps) => {
        pass(10_000_000);
        const resetAt = nowMs + 60_000;
        const bounds: { sinceMs: number; remaining: number }[] = [];
        const takes: number[] = [];
        tell({ remaining: 8, resetMs: 60_000 });
        const toldAt = nowMs;
        for (const next of steps) {
          if (next.do === 'pass') pass(next.ms);
          else if (next.do === 'tell') {
            const agoMs = Math.min(next.agoMs, nowMs - toldAt);
            tell({ remaining: next.remaining, resetMs: resetAt - nowMs, agoMs });
            bounds.push({ sinceMs: nowMs - agoMs, remaining: next.remaining });
          } else if (pacing.waitMs(TARGET) === 0) {
            pacing.take(TARGET);
            takes.push(nowMs);
            for (const { sinceMs, remaining } of bounds) {
              expect(takes.filter((at) => at > sinceMs).length).toBeLessThanOrEqual(remaining);
            }
          }
        }
        expect(takes.length).toBeLessThanOrEqual(8);
      }),
    );
  });
});

const TARGET_NAMES = { provider: 'vendor', credentialId: 'key' };

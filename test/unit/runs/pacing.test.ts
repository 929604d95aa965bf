import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ProviderLimits, StartLimits } from '../../../src/providers/registry.ts';
import { createPacing, type PacedTarget, type Pacing } from '../../../src/runs/pacing.ts';
import type { CountedStart } from '../../../src/runs/ports.ts';

const NONE: StartLimits = { concurrency: null, requestsPerMinute: null };
const WINDOW_MS = 61_000;
const EPOCH_MS = 1_800_000_000_000;

let nowMs: number;
let wallMs: number;
let busy: number;
let busyWith: Record<string, number>;
let pacing: Pacing;

beforeEach(() => {
  nowMs = 5_000;
  wallMs = EPOCH_MS;
  busy = 0;
  busyWith = {};
  pacing = restarted();
});

function restarted(): Pacing {
  return createPacing({
    clock: { now: () => wallMs, monotonic: () => nowMs },
    counts: { busyAt: () => busy, busyWith: (_provider, credentialId) => busyWith[credentialId] ?? 0 },
  });
}

function pass(ms: number): void {
  nowMs += ms;
  wallMs += ms;
}

function target(limits: Partial<ProviderLimits>, credentialId = 'key'): PacedTarget {
  return { provider: { name: 'vendor', limits: { ...NONE, perCredential: NONE, ...limits } }, credentialId };
}

/** Takes whatever may leave now; at most 1,000. */
function takeAll(to: PacedTarget): number {
  let taken = 0;
  while (taken < 1_000 && pacing.waitMs(to) === 0) {
    pacing.take(to).release();
    taken++;
  }
  return taken;
}

describe('a provider without limits', () => {
  it('is not held back, and its starts are not counted', () => {
    const to = target({});
    expect([pacing.waitMs(to), pacing.waitBehindMs(to, 1e6), pacing.room(to.provider, ['key'])]).toEqual([
      0,
      0,
      Infinity,
    ]);
    expect(pacing.take(to).counted).toBeNull();
  });
});

describe('requests a minute', () => {
  it('are so many in a minute and a second', () => {
    const to = target({ requestsPerMinute: 3 });
    expect([takeAll(to), pacing.waitMs(to)]).toEqual([3, WINDOW_MS]);
    pass(WINDOW_MS - 1);
    expect(pacing.waitMs(to)).toBe(1);
    pass(1);
    expect(takeAll(to)).toBe(3);
  });

  it('slide: each start makes room a minute and a second after it', () => {
    const to = target({ requestsPerMinute: 2 });
    pacing.take(to);
    pass(20_000);
    pacing.take(to);
    expect(pacing.waitMs(to)).toBe(41_000);
    pass(41_000);
    pacing.take(to);
    expect(pacing.waitMs(to)).toBe(20_000);
  });

  it('are told to the store with time, provider and credential', () => {
    expect(pacing.take(target({ requestsPerMinute: 2 })).counted).toEqual({
      provider: 'vendor',
      credentialId: 'key',
      at: EPOCH_MS,
    });
    const perCredential = { concurrency: null, requestsPerMinute: 1 };
    expect(pacing.take(target({ perCredential })).counted).not.toBeNull();
    expect(pacing.take(target({ concurrency: 2 })).counted).toBeNull();
  });

  it('are bounded for each credential, too', () => {
    const limits = { requestsPerMinute: 5, perCredential: { concurrency: null, requestsPerMinute: 3 } };
    expect(pacing.room(target(limits).provider, ['a', 'b'])).toBe(5);
    expect(pacing.room(target(limits).provider, ['a'])).toBe(3);
    expect([takeAll(target(limits, 'a')), takeAll(target(limits, 'b'))]).toEqual([3, 2]);
    expect(pacing.room(target(limits).provider, ['a', 'b'])).toBe(0);
  });

  it('hold after a restart, and where the wall clock was set back', () => {
    const to = target({ requestsPerMinute: 3 });
    const starts: CountedStart[] = [];
    for (let i = 0; i < 3; i++) {
      const { counted } = pacing.take(to);
      if (counted) starts.push(counted);
      pass(10_000);
    }
    nowMs = 77;
    pacing = restarted();
    pacing.remember(starts);
    expect(pacing.waitMs(to)).toBe(WINDOW_MS - 30_000);
    wallMs -= 3_600_000;
    pacing = restarted();
    pacing.remember(starts);
    expect(pacing.waitMs(to)).toBe(WINDOW_MS);
  });

  it('hold where starts are remembered late, and in whatever order', () => {
    const to = target({ requestsPerMinute: 3 });
    pass(5_000);
    pacing.take(to);
    const start = (agoMs: number) => ({ provider: 'vendor', credentialId: 'key', at: wallMs - agoMs });
    pacing.remember([start(10_000), start(30_000), start(20_000)]);
    expect(pacing.waitMs(to)).toBe(WINDOW_MS - 20_000);
    pass(WINDOW_MS - 10_000);
    expect(takeAll(to)).toBe(2);
  });

  it('do not mind a wall clock that jumps', () => {
    const to = target({ requestsPerMinute: 1 });
    pacing.take(to);
    wallMs += 3_600_000;
    expect(pacing.waitMs(to)).toBe(WINDOW_MS);
  });

  it('may be changed by a reload', () => {
    takeAll(target({ requestsPerMinute: 10 }));
    expect(takeAll(target({ requestsPerMinute: 12 }))).toBe(2);
    expect(pacing.waitMs(target({ requestsPerMinute: 2 }))).toBe(WINDOW_MS);
    pass(WINDOW_MS);
    expect(takeAll(target({ requestsPerMinute: 2 }))).toBe(2);
  });

  it('are never exceeded in any 60 s, whatever is asked and however often it is restarted', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ do: fc.constant('take' as const), key: fc.constantFrom('a', 'b') }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 30_000 }) }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), monotonic: fc.nat({ max: 1e6 }) }) },
    );
    const limit = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(limit, limit, fc.array(step, { maxLength: 120 }), (all, own, steps) => {
        pacing = restarted();
        const limits = { requestsPerMinute: all, perCredential: { concurrency: null, requestsPerMinute: own } };
        const starts: CountedStart[] = [];
        for (const next of steps) {
          if (next.do === 'pass') pass(next.ms);
          else if (next.do === 'restart') {
            nowMs = next.monotonic;
            pacing = restarted();
            pacing.remember(starts.filter(({ at }) => at > wallMs - WINDOW_MS));
          } else {
            const to = target(limits, next.key);
            const room = pacing.room(to.provider, [next.key]);
            expect(room > 0).toBe(pacing.waitMs(to) === 0);
            if (room === 0) continue;
            const slot = pacing.take(to);
            slot.release();
            if (slot.counted) starts.push(slot.counted);
          }
        }
        for (const { at, credentialId } of starts) {
          const minute = starts.filter((start) => start.at >= at && start.at <= at + 60_000);
          expect(minute.length).toBeLessThanOrEqual(all);
          const same = minute.filter((start) => start.credentialId === credentialId);
          expect(same.length).toBeLessThanOrEqual(own);
        }
      }),
    );
  });
});

describe('the wait behind others', () => {
  it('is that for the slot which comes after theirs', () => {
    const to = target({ requestsPerMinute: 3 });
    pacing.take(to);
    pass(10_000);
    pacing.take(to);
    const waits = [0, 1, 2, 3, 4, 5].map((ahead) => pacing.waitBehindMs(to, ahead));
    expect(waits).toEqual([0, 51_000, 61_000, 61_000, 112_000, 122_000]);
  });

  it('is what really comes of it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 8 }),
        fc.nat({ max: 12 }),
        (limit, gaps, ahead) => {
          pacing = restarted();
          const to = target({ requestsPerMinute: limit });
          for (const gapMs of gaps) {
            if (pacing.waitMs(to) === 0) pacing.take(to);
            pass(gapMs);
          }
          const foreseen = pacing.waitBehindMs(to, ahead);
          const askedAt = nowMs;
          for (let others = 0; others < ahead; others++) {
            pass(pacing.waitMs(to) ?? 0);
            pacing.take(to);
          }
          pass(pacing.waitMs(to) ?? 0);
          expect(nowMs - askedAt).toBe(foreseen);
        },
      ),
    );
  });

  it('counts those ahead that use this credential, where several share them', () => {
    const to = target({ perCredential: { concurrency: null, requestsPerMinute: 10 } });
    expect([pacing.waitBehindMs(to, 19), pacing.waitBehindMs(to, 19, 2)]).toEqual([WINDOW_MS, 0]);
  });

  it('is unknown where it depends on when runs end', () => {
    const to = target({ concurrency: 3 });
    busy = 1;
    expect([pacing.waitBehindMs(to, 1), pacing.waitBehindMs(to, 2)]).toEqual([0, null]);
  });
});

describe('concurrency', () => {
  it('counts busy runs, and starts that are not yet among them', () => {
    const to = target({ concurrency: 3 });
    busy = 1;
    const slot = pacing.take(to);
    expect([pacing.waitMs(to), pacing.room(to.provider, ['key'])]).toEqual([0, 1]);
    pacing.take(to);
    expect([pacing.waitMs(to), pacing.room(to.provider, ['key'])]).toEqual([null, 0]);
    slot.release();
    slot.release();
    expect(pacing.room(to.provider, ['key'])).toBe(1);
    busy = 5;
    expect([pacing.waitMs(to), pacing.room(to.provider, ['key'])]).toEqual([null, 0]);
  });

  it('is bounded for each credential, too', () => {
    const limits = { concurrency: 10, perCredential: { concurrency: 2, requestsPerMinute: null } };
    busyWith = { a: 2 };
    pacing.take(target(limits, 'b'));
    expect([pacing.waitMs(target(limits, 'a')), pacing.waitMs(target(limits, 'b'))]).toEqual([null, 0]);
    expect(pacing.room(target(limits).provider, ['a', 'b'])).toBe(1);
  });
});

describe('a run that looks for a place again', () => {
  it('does not stand in its own way', () => {
    const limits = { concurrency: 1, perCredential: { ...NONE, concurrency: 1 } };
    busy = 1;
    busyWith = { key: 1 };
    const from = { provider: 'vendor', credentialId: 'key' };
    expect(pacing.waitMs(target(limits))).toBeNull();
    expect(pacing.waitMs({ ...target(limits), from })).toBe(0);
    expect(pacing.waitMs({ ...target(limits), from: { ...from, provider: 'other' } })).toBeNull();
    busyWith = { key: 1, another: 1 };
    expect(pacing.waitMs({ ...target(limits, 'another'), from })).toBeNull();
  });
});

describe('a start that was not even written', () => {
  it('uses up nothing, and one that was written does', () => {
    const to = target({ requestsPerMinute: 2, concurrency: 1, perCredential: { ...NONE, requestsPerMinute: 2 } });
    pacing.take(to).undo();
    const sent = pacing.take(to);
    sent.release();
    sent.undo();
    const other = pacing.take(to);
    other.undo();
    other.undo();
    expect(takeAll(to)).toBe(1);
  });
});

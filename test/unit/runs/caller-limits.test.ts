import { describe, expect, it } from 'vitest';
import { NO_LIMITS } from '../../../src/access/key-limits.ts';
import type { CallerLimits } from '../../../src/core/caller.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { createCallerLimits, tokenQuotaOf } from '../../../src/runs/caller-limits.ts';
import { callerWith } from '../../support/runs-app.ts';

const DAY_MS = 86_400_000;

function setUp() {
  const rows = new Map<string, number>();
  const clock = { ms: Date.UTC(2027, 1, 28, 22, 0, 0), now: () => clock.ms };
  const counted = { ofDay: 0, ofToken: 0, asked: [] as object[] };
  const limits = createCallerLimits({
    counts: { unfinishedOf: (lineage) => rows.get(lineage) ?? 0 },
    store: {
      async countedRuns(of) {
        counted.asked.push(of);
        return { ofDay: counted.ofDay, ofToken: counted.ofToken };
      },
    },
    clock,
  });
  return { rows, clock, limits, counted };
}

function callerOf(limits: Partial<CallerLimits>, keyId = 'key_1', lineage = 'key_1') {
  return callerWith('runs', { keyId, lineage, limits: { ...NO_LIMITS, ...limits } });
}

function thrownBy(work: () => unknown): GatewayError {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return error;
  }
  throw new Error('expected a refusal');
}

describe('concurrent runs', () => {
  const caller = callerOf({ concurrentRuns: 2 });

  it('are the unfinished ones and those being written', () => {
    const { rows, limits } = setUp();
    rows.set('key_1', 1);
    const entry = limits.enter(caller, null);
    const refused = thrownBy(() => limits.enter(caller, null));
    expect(refused).toMatchObject({ code: 'concurrency_limited', details: { retryAfterS: 1 } });
    expect(refused.message).toBe('This key may have 2 unfinished runs at once; wait for one of them to end.');
    // Written: a row counts it now.
    rows.set('key_1', 2);
    entry.leave();
    expect(() => limits.enter(caller, null)).toThrow(GatewayError);
    rows.set('key_1', 1);
    limits.enter(caller, null).leave();
  });

  it('give back the place of a run that was not written, once', () => {
    const { limits } = setUp();
    const first = limits.enter(caller, null);
    limits.enter(caller, null);
    first.leave();
    first.leave();
    limits.enter(caller, null);
    expect(() => limits.enter(caller, null)).toThrow(GatewayError);
  });

  it('let exactly so many pass that come together', () => {
    const { limits } = setUp();
    const callers = Array.from({ length: 100 }, (_, i) => callerOf({ concurrentRuns: 10 }, `key_${i}`));
    const passed = callers.filter((one) => {
      try {
        limits.enter(one, null);
        return true;
      } catch {
        return false;
      }
    });
    expect(passed).toHaveLength(10);
  });

  it('take one place for copies with one idempotency key, until all of them have left', () => {
    const { limits } = setUp();
    const one = callerOf({ concurrentRuns: 1 });
    const claim = { lineage: 'key_1', subject: '', key: 'order-1', fingerprint: 'f' };
    const copies = Array.from({ length: 100 }, () => limits.enter(one, claim));
    const others = [null, { ...claim, key: 'order-2' }, { ...claim, subject: 'user-1' }];
    for (const other of others) expect(() => limits.enter(one, other)).toThrow(GatewayError);
    for (const copy of copies.slice(1)) copy.leave();
    expect(() => limits.enter(one, null)).toThrow(GatewayError);
    copies[0]?.leave();
    limits.enter(one, null).leave();
  });

  it('belong to a line of keys, and to no other', () => {
    const { limits } = setUp();
    const tight = { concurrentRuns: 1 };
    limits.enter(callerOf(tight, 'key_1', 'key_1'), null);
    expect(() => limits.enter(callerOf(tight, 'key_2', 'key_1'), null)).toThrow(GatewayError);
    limits.enter(callerOf(tight, 'key_3', 'key_3'), null);
  });

  it('are without bound for keys that have none', () => {
    const { rows, limits } = setUp();
    rows.set('key_1', 1_000_000);
    const free = callerOf({ requestsPerMinute: 1, runsPerDay: 1 });
    expect(() => limits.enter(free, null).leave()).not.toThrow();
  });
});

describe('runs a day', () => {
  it('are counted on the day of UTC', () => {
    const { clock, limits } = setUp();
    const caller = callerOf({ runsPerDay: 100 });
    expect(limits.quotaOf(caller)).toEqual({ day: '2027-02-28', runsMax: 100 });
    clock.ms += 2 * 3_600_000 - 1;
    expect(limits.quotaOf(caller)).toEqual({ day: '2027-02-28', runsMax: 100 });
    clock.ms += 1;
    expect(limits.quotaOf(caller)).toEqual({ day: '2027-03-01', runsMax: 100 });
  });

  it('are not counted for keys that have no bound', () => {
    expect(setUp().limits.quotaOf(callerOf({ concurrentRuns: 1 }))).toBeNull();
  });

  it('come back with the next day', () => {
    const { clock, limits } = setUp();
    const quota = { day: '2027-02-28', runsMax: 1 };
    const refused = limits.overQuota(quota);
    expect(refused).toMatchObject({ code: 'quota_exceeded', details: { retryAfterS: 7_200 } });
    expect(refused.message).toBe('This key may begin 1 run a day of UTC, and has done so today.');
    clock.ms += 7_199_001;
    expect(limits.overQuota(quota).details.retryAfterS).toBe(1);
    // Refused at the last moment of the day, and told so on the next: at once, not a day later.
    clock.ms += DAY_MS;
    expect(limits.overQuota(quota).details.retryAfterS).toBe(1);
  });
});

describe('runs of a token', () => {
  const token = { id: 'tok_1', runsMax: 3, expiresAt: Date.UTC(2027, 1, 28, 22, 10, 0), origin: null };

  it('are counted where the token says how many there may be', () => {
    const caller = callerWith('runs', { token });
    expect(tokenQuotaOf(caller)).toEqual({ id: 'tok_1', runsMax: 3, expiresAt: token.expiresAt });
    expect(tokenQuotaOf({ ...caller, token: { ...token, runsMax: null } })).toBeNull();
    expect(tokenQuotaOf(callerWith('runs'))).toBeNull();
  });

  it('do not come back while it lives', () => {
    const { limits, clock } = setUp();
    const refused = limits.overTokenQuota(token);
    expect(refused).toMatchObject({ code: 'quota_exceeded', details: { retryAfterS: 600, retryable: false } });
    expect(refused.message).toBe('This token may begin 3 runs, and has done so; get a new one.');
    clock.ms += DAY_MS;
    expect(limits.overTokenQuota(token).details.retryAfterS).toBe(1);
  });
});

describe('what is used', () => {
  it('is told where it is counted, and looked up only there', async () => {
    const { rows, limits, counted } = setUp();
    rows.set('key_1', 2);
    expect(await limits.usedBy(callerOf({}))).toEqual({ unfinishedRuns: 2, runsToday: null, tokenRuns: null });
    expect(counted.asked).toEqual([]);
    Object.assign(counted, { ofDay: 4, ofToken: 1 });
    expect(await limits.usedBy(callerOf({ runsPerDay: 9 }))).toEqual({
      unfinishedRuns: 2,
      runsToday: 4,
      tokenRuns: null,
    });
    const token = { id: 'tok_1', runsMax: 3, expiresAt: 0, origin: null };
    expect(await limits.usedBy({ ...callerOf({}), token })).toEqual({
      unfinishedRuns: 2,
      runsToday: null,
      tokenRuns: 1,
    });
    expect(counted.asked).toEqual([
      { lineage: 'key_1', day: '2027-02-28', tokenId: null },
      { lineage: 'key_1', day: '2027-02-28', tokenId: 'tok_1' },
    ]);
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { createIds, type RunId } from '../../../src/core/ids.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { createAttendances, type Attendances } from '../../../src/runs/attendance.ts';
import type { Run } from '../../../src/runs/model.ts';

const GRACE_MS = 5_000;
const TIMEOUT_MS = 300_000;
const ids = createIds({ clock: systemClock, random: createSystemRandom() });

let nowMs: number;
let run: Run;
let cancelled: RunId[];
let followers: number;
let failure: Error | null;
/** What becomes of a run that is cancelled. */
let after: Run['status'];
let told: string[];
let attendances: Attendances;

beforeEach(() => {
  nowMs = 1_000;
  cancelled = [];
  followers = 0;
  failure = null;
  after = 'cancelled';
  told = [];
  run = { id: ids.run(), status: 'running', onDisconnect: 'cancel', deadlineAt: nowMs + TIMEOUT_MS } as Run;
  attendances = createAttendances({
    clock: { now: () => nowMs, monotonic: () => nowMs },
    log: { debug() {}, info: (_fields, message) => void told.push(message), warn() {}, error() {} },
    isFollowed: () => followers > 0,
    async cancel(id) {
      if (failure) throw failure;
      cancelled.push(id);
      return { status: after };
    },
  });
});

async function pass(ms: number) {
  nowMs += ms;
  attendances.sweep();
  await Promise.resolve();
  await Promise.resolve();
}

describe('a run whose caller drops the call', () => {
  it('is cancelled when nobody comes back for 5 s, and not before', async () => {
    attendances.attend(run, false).left();
    await pass(GRACE_MS - 1);
    expect(cancelled).toEqual([]);
    await pass(1);
    expect(cancelled).toEqual([run.id]);
    await pass(GRACE_MS);
    expect([cancelled, attendances.size()]).toEqual([[run.id], 0]);
  });

  it.each([
    ['cancelled', 1],
    ['cancelling', 1],
    ['succeeded', 0],
    ['failed', 0],
  ] as const)('is said to be cancelled where it is %s then', async (status, lines) => {
    after = status;
    attendances.attend(run, false).left();
    await pass(GRACE_MS);
    expect(told).toHaveLength(lines);
  });

  it('is not where it was begun to go on, or has ended', async () => {
    attendances.attend({ ...run, onDisconnect: 'continue' }, false).left();
    attendances.attend({ ...run, status: 'succeeded' }, false).left();
    await pass(GRACE_MS);
    expect([cancelled, attendances.size()]).toEqual([[], 0]);
  });

  it('is not while another call of it is open', async () => {
    const first = attendances.attend(run, false);
    const copy = attendances.attend(run, true);
    first.left();
    await pass(60_000);
    expect(cancelled).toEqual([]);
    copy.left();
    await pass(GRACE_MS);
    expect(cancelled).toEqual([run.id]);
  });

  it('is not where a copy comes within the grace, until that is dropped too', async () => {
    attendances.attend(run, false).left();
    await pass(GRACE_MS - 1);
    const copy = attendances.attend(run, true);
    await pass(60_000);
    copy.left();
    await pass(GRACE_MS - 1);
    expect(cancelled).toEqual([]);
    await pass(1);
    expect(cancelled).toEqual([run.id]);
  });

  it('is not where somebody follows its events within the grace, and not when they leave', async () => {
    attendances.attend(run, false).left();
    followers = 1;
    attendances.followed(run.id);
    followers = 0;
    await pass(60_000);
    expect(cancelled).toEqual([]);
    attendances.attend(run, true).left();
    await pass(GRACE_MS);
    expect(cancelled).toEqual([run.id]);
  });

  it('is not where somebody follows its events all along', async () => {
    followers = 1;
    attendances.attend(run, false).left();
    await pass(GRACE_MS);
    followers = 0;
    await pass(60_000);
    expect(cancelled).toEqual([]);
  });
});

describe('a run of which a call was answered', () => {
  it('is never cancelled, whoever leaves before or after', async () => {
    const first = attendances.attend(run, false);
    const copy = attendances.attend(run, true);
    const other = attendances.attend(run, true);
    copy.left();
    first.answered();
    other.left();
    await pass(60_000);
    attendances.attend(run, true).left();
    await pass(60_000);
    expect([cancelled, attendances.size()]).toEqual([[], 0]);
  });

  it('is never cancelled where a copy was answered before its first call was seen here', async () => {
    attendances.attend(run, true).answered();
    attendances.attend(run, false).left();
    await pass(60_000);
    expect([cancelled, attendances.size()]).toEqual([[], 0]);
  });

  it('is not armed by what is said of the same call later', async () => {
    const call = attendances.attend(run, false);
    call.answered();
    call.left();
    await pass(60_000);
    expect(cancelled).toEqual([]);
  });
});

it('a copy that joins before its original is known counts too', async () => {
  const copy = attendances.attend(run, true);
  attendances.attend(run, false).left();
  await pass(60_000);
  expect(cancelled).toEqual([]);
  copy.left();
  await pass(GRACE_MS);
  expect(cancelled).toEqual([run.id]);
});

it('a run that another process began is never cancelled', async () => {
  attendances.attend(run, true).left();
  await pass(60_000);
  expect([cancelled, attendances.size()]).toEqual([[], 0]);
});

it('a store that is down delays the cancel', async () => {
  attendances.attend(run, false).left();
  failure = new GatewayError('store_unavailable');
  await pass(GRACE_MS);
  await pass(200);
  failure = null;
  after = 'cancelled';
  told = [];
  await pass(200);
  expect([cancelled, attendances.size()]).toEqual([[run.id], 0]);
});

it('a run that is spared is forgotten at its deadline', async () => {
  attendances.attend(run, false).left();
  attendances.followed(run.id);
  await pass(TIMEOUT_MS - 1);
  expect(attendances.size()).toBe(1);
  await pass(1);
  expect(attendances.size()).toBe(0);
});

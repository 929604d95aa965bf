import { describe, expect, it } from 'vitest';
import type { RunId } from '../../src/core/ids.ts';
import type { RunStatus } from '../../src/runs/model.ts';
import type { RunStore } from '../../src/runs/ports.ts';
import type { AskedResume } from '../support/simulation/callers.ts';
import { failingSeeds, isFoundOut } from '../support/simulation/find-out.ts';
import type { DeliveryNoted } from '../support/simulation/journal-deliveries.ts';
import type { AttendanceNoted, Noted, ResumeAnswer } from '../support/simulation/journal.ts';
import { judgeAttendance } from '../support/simulation/judge-attendance.ts';
import { judgeDeliveries } from '../support/simulation/judge-deliveries.ts';
import { judgeResumes } from '../support/simulation/judge-resumes.ts';

/** Schedules are many, and machines differ. */
const SCHEDULES_MS = 120_000;

describe('runs under crashes, slow commits, lost answers and lying vendors', { timeout: SCHEDULES_MS }, () => {
  it('keep every invariant in every schedule', async () => {
    expect(await failingSeeds(1, 300)).toEqual([]);
  });

  it('keep every invariant in schedules that were once misjudged', async () => {
    for (const seed of [61463, 267412]) expect(await failingSeeds(seed, seed)).toEqual([]);
  });

  it('would be found out if idempotency keys were forgotten', async () => {
    const forgetful = (store: RunStore): RunStore => ({
      ...store,
      findByKey: async () => null,
      create: (run) => store.create(run, { idempotency: null, quota: null }),
    });
    expect(await isFoundOut({ store: forgetful }, /./, 40)).toBe(true);
  });

  it('would be found out if an acknowledged run were not on disk', async () => {
    let count = 0;
    const lossy = (store: RunStore): RunStore => ({
      ...store,
      create: async (run, options) => {
        count += 1;
        if (count % 5 !== 0) return store.create(run, options);
        const { inputs: _inputs, events: _events, dueInMs: _due, ...rest } = run;
        return { kind: 'created', run: { ...rest, version: 1, seq: 2, dueAt: null } };
      },
    });
    expect(await isFoundOut({ store: lossy }, /./, 20)).toBe(true);
  });

  it('would be found out if a move did not compare the version', async () => {
    const hasty = (store: RunStore): RunStore => ({
      ...store,
      move: async (from, change) => {
        const run = await store.peek(from.run.id);
        return run ? store.move({ run: { ...from.run, version: run.version, seq: run.seq } }, change) : 'stale';
      },
    });
    expect(await isFoundOut({ store: hasty }, /./, 800)).toBe(true);
  });

  it('would be found out if copies of a resume were not recognised', async () => {
    const forgetful = (store: RunStore): RunStore => ({
      ...store,
      findByKey: async () => null,
      moveOnce: async (from, change) => {
        const run = await store.move(from, change);
        return run === 'stale' ? run : { kind: 'moved', run };
      },
    });
    expect(await isFoundOut({ store: forgetful }, /sent again, though it may have been taken/, 400)).toBe(true);
  });

  it('would be found out if the key of a refused resume were kept', async () => {
    const greedy = (store: RunStore): RunStore => ({
      ...store,
      move: (from, { giveBackKey, ...change }) =>
        store.move(from, giveBackKey === 'start' ? { ...change, giveBackKey } : change),
    });
    expect(await isFoundOut({ store: greedy }, /was given back and is still taken/, 400)).toBe(true);
  });

  it('would be found out if a piece of a stream were lost', async () => {
    const lossy = (store: RunStore): RunStore => ({
      ...store,
      append: (id, owner, events) => store.append(id, owner, events.length > 1 ? events.slice(1) : events),
    });
    expect(await isFoundOut({ store: lossy }, /its log has what no stream said there/, 400)).toBe(true);
  });

  it('would be found out if the end of a stream were lost', async () => {
    const lossy = (store: RunStore): RunStore => ({
      ...store,
      append: (id, owner, events) => store.append(id, owner, events.length > 1 ? events.slice(0, -1) : events),
    });
    expect(await isFoundOut({ store: lossy }, /are not in the log/, 400)).toBe(true);
  });

  it('would be found out if a piece of a stream were stored twice', async () => {
    const eager = (store: RunStore): RunStore => ({
      ...store,
      append: (id, owner, events) => store.append(id, owner, [...events, ...events.slice(-1)]),
    });
    expect(await isFoundOut({ store: eager }, /its log has what no stream said there/, 400)).toBe(true);
  });

  it('would be found out if readers were not told an event', async () => {
    // What readers are told is read by pages of a hundred.
    const lossy = (store: RunStore): RunStore => ({
      ...store,
      eventsAfter: async (id, seq, limit) => {
        const events = await store.eventsAfter(id, seq, limit);
        return limit === 100 && seq > 0 && events.length > 1 ? events.slice(1) : events;
      },
    });
    expect(await isFoundOut({ store: lossy }, /was told \d+ after \d+/, 400)).toBe(true);
  });

  it('would be found out if readers were not told the end', async () => {
    const lossy = (store: RunStore): RunStore => ({
      ...store,
      eventsAfter: async (id, seq, limit) => {
        const events = await store.eventsAfter(id, seq, limit);
        return limit === 100 ? events.filter(({ type }) => type !== 'run.cancelled') : events;
      },
    });
    expect(await isFoundOut({ store: lossy }, /it was told that this is all, after/, 400)).toBe(true);
  });

  it('would be found out if messages were not in the commit of their event', async () => {
    const lossy = (store: RunStore): RunStore => ({
      ...store,
      move: (from, { deliveries: _none, ...change }) => store.move(from, change),
    });
    expect(await isFoundOut({ store: lossy }, /was committed without its messages/, 400)).toBe(true);
  });

  it('would be found out if messages were tried too early, or given up', async () => {
    const hasty = (store: RunStore): RunStore => ({
      ...store,
      settleDelivery: (id, owner, result) =>
        store.settleDelivery(id, owner, { ...result, nextInMs: result.nextInMs === null ? null : 100 }),
    });
    expect(await isFoundOut({ store: hasty }, /try \d came \d+ ms too early/, 400)).toBe(true);
    const weary = (store: RunStore): RunStore => ({
      ...store,
      settleDelivery: (id, owner, result) =>
        store.settleDelivery(id, owner, result.status === 'pending' ? { ...result, status: 'failed' } : result),
    });
    expect(await isFoundOut({ store: weary }, /it was given up after/, 400)).toBe(true);
  });

  it('would be found out if a message that somebody wants again were not sent', async () => {
    const deaf = (store: RunStore): RunStore => ({
      ...store,
      redeliver: async (id, deliveryId) => (await store.deliveries(id)).find((one) => one.id === deliveryId) ?? null,
    });
    expect(await isFoundOut({ store: deaf }, /it was to be sent again, and was not/, 400)).toBe(true);
  });

  it('would be found out if what became of a message were not written', async () => {
    const forgetful = (store: RunStore): RunStore => ({
      ...store,
      settleDelivery: async (id, owner, result) =>
        result.status === 'delivered' ? 'stale' : store.settleDelivery(id, owner, result),
    });
    expect(await isFoundOut({ store: forgetful }, /pending for ever/, 400)).toBe(true);
  });

  it('would be found out if a drain gave nothing back', async () => {
    const greedy = (store: RunStore): RunStore => ({ ...store, release: async () => 0 });
    expect(await isFoundOut({ store: greedy }, /has drained and still has/, 400)).toBe(true);
  });
});

const RUN = 'run_1' as RunId;
const moved = (
  from: string,
  to: string,
  { process = 1, key = null as string | null, gaveBack = null as string | null } = {},
) =>
  ({
    is: 'moved',
    at: 0,
    process,
    id: RUN,
    vendorRun: 'v',
    from: state(from, key),
    status: state(to, null).status,
    step: state(to, null).step,
    kept: false,
    claimed: to === 'resume' ? key : null,
    gaveBack,
  }) satisfies Noted;
const sent = (number: number, token = 'resume-1-1', waitings = 1) =>
  ({ is: 'resume_sent', process: 1, number, vendorRun: 'v', token, waitings, lags: false }) satisfies Noted;
const taken = (number: number, token = 'resume-1-1') =>
  ({ is: 'resume_taken', number, vendorRun: 'v', token, waiting: 1 }) satisfies Noted;
const answered = (number: number, how: ResumeAnswer) =>
  ({ is: 'resume_answered', process: 1, number, vendorRun: 'v', how }) satisfies Noted;

function state(name: string, key: string | null): { status: RunStatus; step: 'poll' | 'resume'; key: string | null } {
  return name === 'resume'
    ? { status: 'running', step: 'resume', key }
    : { status: name as RunStatus, step: 'poll', key: null };
}

function faultsOf(entries: Noted[], asked: Partial<AskedResume> = {}): string[] {
  const plain = { token: 'resume-1-1', runId: RUN, provider: 'interactly', idempotent: true };
  const resumes = [{ ...plain, begun: 1, replayed: 0, refused: [], errors: [], ...asked }];
  const claims = asked.idempotent === false ? [] : [moved('waiting', 'resume', { key: 'resume-1-1' })];
  return judgeResumes({ resumes, refused: [], journal: { entries: [...claims, ...entries], removed: new Map() } });
}

describe('the judge of resumes', () => {
  const resumed = moved('waiting', 'resume');

  it('has nothing against one that is written, sent once and taken', () => {
    expect(faultsOf([sent(1), taken(1), answered(1, 'taken'), moved('resume', 'running')])).toEqual([]);
  });

  it('has nothing against another caller who resumes after the first one’s fate could not be learnt', () => {
    const unknown = [sent(1), answered(1, 'unknown'), moved('resume', 'running'), moved('running', 'waiting')];
    expect(faultsOf([...unknown, resumed, sent(2, 'resume-1-2'), taken(2, 'resume-1-2')])).toEqual([]);
  });

  it('finds a second one in the same waiting', () => {
    const faults = faultsOf([sent(1), answered(1, 'unknown'), moved('resume', 'running'), sent(2, 'resume-1-2')]);
    expect(faults).toEqual(['v: resume-1-2 was sent, and no move of the row asked for it']);
  });

  it('finds one that leaves after its run waits again', () => {
    const faults = faultsOf([moved('resume', 'running'), moved('running', 'waiting'), sent(1)]);
    expect(faults).toEqual(['v: resume-1-1 was sent, and no move of the row asked for it']);
  });

  it('finds one for a waiting that an answer had told to be over', () => {
    const first = [sent(1), taken(1), answered(1, 'taken'), moved('resume', 'running'), moved('running', 'waiting')];
    const faults = faultsOf([...first, resumed, sent(2, 'resume-1-2')]);
    expect(faults).toEqual(['v: resume-1-2 was sent for waiting 1, which was known to be over']);
  });

  it('finds a copy that is sent although the first may have been taken', () => {
    const first = [sent(1), answered(1, 'unknown'), moved('resume', 'running'), moved('running', 'waiting')];
    expect(faultsOf([...first, resumed, sent(2)])).toEqual([
      'resume-1-1: sent again, though it may have been taken before',
    ]);
  });

  it('finds a resume without a key that is sent twice', () => {
    const first = [resumed, sent(1), answered(1, 'refused'), moved('resume', 'waiting')];
    expect(faultsOf([...first, resumed, sent(2)], { idempotent: false })).toEqual(['resume-1-1: sent 2 times']);
  });

  it('finds a refused one whose run does not wait again', () => {
    const faults = faultsOf([sent(1), answered(1, 'refused'), moved('resume', 'running', { key: 'resume-1-1' })]);
    expect(faults).toEqual(['v: resume-1-1 was not taken, and the run became running']);
  });

  it('finds a refused one whose key is kept', () => {
    const faults = faultsOf([sent(1), answered(1, 'unsent'), moved('resume', 'waiting', { key: 'resume-1-1' })]);
    expect(faults).toEqual(['v: resume-1-1 was not taken, and its key was not given back']);
  });

  it('finds a key that is given back although the vendor may have taken the resume', () => {
    const back = moved('resume', 'waiting', { key: 'resume-1-1', gaveBack: 'resume-1-1' });
    expect(faultsOf([sent(1), answered(1, 'unknown'), back])).toEqual([
      'v: resume-1-1 may have been taken, and its key was given back',
    ]);
  });

  it('finds callers who were told something else than what happened', () => {
    const once = [sent(1), taken(1), answered(1, 'taken'), moved('resume', 'running')];
    expect(faultsOf(once, { refused: ['upstream_conflict'] })).toEqual([
      'resume-1-1: a caller was told that it was refused, and it was taken',
    ]);
    expect(faultsOf(once, { begun: 2 })).toEqual(['resume-1-1: 2 callers were told that they had begun it, 1 had']);
    expect(faultsOf(once, { errors: ['internal'] })).toEqual(['resume-1-1: refused with internal']);
  });
});

const note = (is: AttendanceNoted['is'], at: number, process = 1): AttendanceNoted => ({ is, at, process, id: RUN });
const cancelledAt = (at: number) => ({ ...moved('running', 'cancelling'), at });

function attendanceFaults(attendance: AttendanceNoted[], cancel: number | null, onDisconnect = 'cancel'): string[] {
  const events = cancel === null ? [] : [{ seq: 1, type: 'run.cancelling', at: cancel, data: {} }];
  const run = { id: RUN, kind: 'k', status: 'running', onDisconnect, inputs: {}, finishedAt: null };
  const entries = cancel === null ? [] : [cancelledAt(cancel)];
  return judgeAttendance({
    histories: [{ run, events, removed: false } as never],
    journal: { attendance, entries, stopped: new Map() },
    vendors: { begun: () => [] },
    now: 100_000,
  });
}

describe('the judge of callers who leave', () => {
  const nobody = [`${RUN} (k, running): it was cancelled, and nobody wanted that`];

  it('has nothing against a run that is cancelled after the grace', () => {
    expect(attendanceFaults([note('attended', 0), note('left', 10)], 5_200)).toEqual([]);
  });

  it('finds a cancel within the grace, or of a run that was to go on', () => {
    expect(attendanceFaults([note('attended', 0), note('left', 10)], 4_000)).toEqual(nobody);
    expect(attendanceFaults([note('attended', 0), note('left', 10)], 5_200, 'continue')).toEqual(nobody);
  });

  it('finds a cancel although somebody was answered, is still there, came back or reads', () => {
    const two = [note('attended', 0), note('joined', 1)];
    expect(attendanceFaults([...two, note('answered', 2), note('left', 10)], 5_200)).toEqual(nobody);
    expect(attendanceFaults([...two, note('left', 10)], 5_200)).toEqual(nobody);
    expect(attendanceFaults([note('attended', 0), note('left', 10), note('followed', 900)], 6_000)).toEqual(nobody);
    const read = [note('attended', 0), note('followed', 1), note('left', 10), note('unfollowed', 20)];
    expect(attendanceFaults(read, 6_000)).toEqual(nobody);
  });

  it('finds a run that everybody has left and that goes on', () => {
    expect(attendanceFaults([note('attended', 0), note('left', 10)], null)).toEqual([
      `${RUN} (k, running): everybody left, and it was not cancelled`,
    ]);
  });
});

describe('the judge of messages to webhooks', () => {
  const DELIVERY = 'dlv_1_3';
  const post = (number: number, at: number): DeliveryNoted => ({
    is: 'posted',
    at,
    id: DELIVERY,
    process: 1,
    number,
    body: '{}',
  });
  const claim: DeliveryNoted = { is: 'claimed', at: 0, id: DELIVERY, process: 1, runId: RUN };
  const gone: DeliveryNoted = { is: 'settled', at: 1, id: 'dlv_1_2', process: 1, runId: RUN, status: 'gone' };
  const faults = (deliveries: DeliveryNoted[]) =>
    judgeDeliveries({
      histories: [],
      journal: { deliveries, removed: new Map([[RUN, {} as never]]) },
      deliveries: new Map(),
    });

  it('finds a message that is taken up after its target was gone, but for one that somebody wants again', () => {
    expect(faults([gone, claim])).toEqual([`${DELIVERY}: its target was gone, and it was taken up`]);
    expect(faults([gone, { is: 'redelivered', at: 2, id: DELIVERY, runId: RUN }, claim])).toEqual([]);
  });

  it('finds two tries at once', () => {
    expect(faults([post(1, 0), post(2, 10)])).toEqual([`${DELIVERY}: two tries were under way at once`]);
    expect(faults([post(1, 0), { is: 'answered', at: 5, id: DELIVERY, number: 1, status: 500 }, post(2, 10)])).toEqual(
      [],
    );
  });
});

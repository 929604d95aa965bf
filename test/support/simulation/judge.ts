import { firstRunIdAt, type RunId } from '../../../src/core/ids.ts';
import { hasEnded, type EventType, type RunStatus, type RunWithPayloads } from '../../../src/runs/model.ts';
import { mayMove } from '../../../src/runs/state-table.ts';
import type { Asked } from './callers.ts';
import type { StartNoted } from './journal-starts.ts';
import type { RunHistory } from './journal.ts';
import { judgeCallers } from './judge-callers.ts';
import { judgeLimits } from './judge-limits.ts';
import { judgeQueue } from './judge-queue.ts';
import { judgeStarts } from './judge-starts.ts';
import { judgeAttendance } from './judge-attendance.ts';
import { judgeDeliveries } from './judge-deliveries.ts';
import { judgeReaders } from './judge-readers.ts';
import { judgeStreams } from './judge-streams.ts';
import { judgeResumes } from './judge-resumes.ts';
import { stateOf, type VendorRun } from './vendor-run.ts';
import type { Played } from './world.ts';

/** Crashes, lost answers of the store, look-ups and back-offs may hold a cancel up for this long, but not for ever. */
const CANCEL_PATIENCE_MS = 60_000;

/** Everything that the invariants promise of a played schedule; what does not hold, as sentences. */
export function judge(played: Played): string[] {
  const { journal, asked, histories } = played;
  const faults = [...journal.complaints];
  for (const one of asked) faults.push(...judgeRequest(one, played));
  for (const history of histories) faults.push(...judgeHistory(history, played));
  faults.push(...judgeResumes(played));
  faults.push(...judgeStreams(played), ...judgeDeliveries(played), ...judgeReaders(played), ...judgeAttendance(played));
  faults.push(...judgeStarts(played), ...judgeLimits(played), ...judgeCallers(journal.starts), ...judgeQueue(played));
  const kept = new Set(histories.map(({ run }) => run.id));
  const known = new Set<RunId>([...journal.created, ...asked.flatMap(({ acknowledged }) => [...acknowledged])]);
  // Messages go on to be tried long after the runs were looked at, and somebody may begin another one then.
  const end = firstRunIdAt(played.now);
  const late = new Set(journal.starts.flatMap((noted) => (isLate(noted, played.now) ? [noted.run.id] : [])));
  const lost = [...known].filter((id) => !kept.has(id) && id < end && !late.has(id)).length;
  if (lost > 0) faults.push(`${lost} written or acknowledged runs are lost`);
  return faults;
}

function isLate(noted: StartNoted, now: number): noted is Extract<StartNoted, { is: 'row' }> {
  return noted.is === 'row' && noted.created && noted.at > now;
}

/** Of a start, before anything is written. */
const REFUSALS: ReadonlySet<string> = new Set([
  'store_unavailable',
  'shutting_down',
  'overloaded',
  'upstream_rate_limited',
  'upstream_unavailable',
  'credentials_exhausted',
  'concurrency_limited',
  'quota_exceeded',
]);

function judgeRequest(asked: Asked, { vendors, histories }: Played): string[] {
  const faults: string[] = [];
  const own = histories.filter(({ run }) => asked.acknowledged.has(run.id));
  const begun = vendors.begun(asked.marker);
  // A key that was given back may begin another run; each run of its own begins at most one.
  if (asked.idempotent && own.filter(({ run }) => !provablyUnstarted(run)).length > 1) {
    faults.push(`${asked.marker}: one idempotency key, several runs that may have begun`);
  }
  if (begun.length > 1) faults.push(`${asked.marker}: ${begun.length} runs began at the vendor`);
  const removed = own.some((history) => history.removed);
  for (const refusal of asked.refusals) {
    if (refusal === 'not_found' && removed) continue;
    if (!REFUSALS.has(refusal)) faults.push(`${asked.marker}: refused with ${refusal}`);
  }
  return faults;
}

function provablyUnstarted(run: RunWithPayloads): boolean {
  return run.attempts.every((attempt) => attempt.state === 'not_begun');
}

function judgeHistory({ run, events }: RunHistory, played: Played): string[] {
  const faults: string[] = [];
  // What a late request began after the rows were read belongs to a run of its own.
  const vendor = played.vendors.begun(markerOf(run)).find(({ turns }) => (turns[0]?.at ?? 0) <= played.now);
  const types = events.map((event) => event.type);
  if (events.some((event, i) => event.seq !== i + 1)) faults.push('its events have a gap');
  if (events.length !== run.seq) faults.push(`it has ${events.length} events and seq ${run.seq}`);
  const told = statusTold(types);
  if (told === null) faults.push(`illegal moves: ${types.join(', ')}`);
  else if (told !== run.status) faults.push(`its events tell that it is ${told}`);
  faults.push(...(hasEnded(run) ? judgeEnd(run, vendor, played) : judgeWaiting(run, vendor, played)));
  const cancelledAt = events.findLast((event) => event.type === 'run.cancelling')?.at;
  const ignoredMs = cancelledAt === undefined ? 0 : (run.finishedAt ?? played.now) - cancelledAt;
  if (ignoredMs > CANCEL_PATIENCE_MS && vendor?.cancelsAsked === 0) faults.push('the vendor was never asked to stop');
  return faults.map((fault) => `${run.id} (${run.kind}, ${run.status}, ${run.error?.code ?? '-'}): ${fault}`);
}

function judgeEnd(run: RunWithPayloads, vendor: VendorRun | undefined, { histories, now }: Played): string[] {
  const faults: string[] = [];
  const state = vendor && stateOf(vendor, now);
  if (run.owner !== null || run.dueAt !== null) faults.push('it has ended and is still cared for');
  const isOnly = histories.filter((other) => markerOf(other.run) === markerOf(run)).length === 1;
  if (run.error?.retryable && vendor && provablyUnstarted(run) && isOnly)
    faults.push('it says that nothing began, and something did');
  if (run.status === 'succeeded' && run.kind !== 'ai-tutor' && state !== 'succeeded' && state !== 'partial')
    faults.push('it did not succeed at the vendor');
  if (run.status === 'cancelled' && run.upstream.stopped === true && vendor && state !== 'cancelled')
    faults.push('the vendor did not stop');
  if (run.error?.code === 'run_timed_out' && (run.finishedAt ?? now) < run.deadlineAt)
    faults.push('it timed out before its time was up');
  return faults;
}

/** Whoever has not ended may only wait, for somebody who does not come, and within its time. */
function judgeWaiting(run: RunWithPayloads, vendor: VendorRun | undefined, { now }: Played): string[] {
  // A vendor that takes a cancel by a 2xx and then does nothing leaves the run `cancelling` until its deadline.
  const ignored = run.status === 'cancelling' && (vendor?.cancelsAsked ?? 0) > 0;
  if (run.status !== 'waiting' && !ignored) return ['it never ended'];
  const faults: string[] = [];
  if (run.waiting === null || run.deadlineAt <= now) faults.push('it waits for nothing, or beyond its time');
  if (!vendor || stateOf(vendor, now) !== 'waiting') faults.push('it waits, and the vendor does not');
  if (run.owner === null && run.dueAt === null) faults.push('it waits, and nobody cares for it');
  return faults;
}

function markerOf(run: RunWithPayloads): string {
  return typeof run.inputs['text'] === 'string' ? run.inputs['text'] : '';
}

const STATUS_OF: Partial<Record<EventType, RunStatus>> = {
  'run.created': 'queued',
  'run.started': 'running',
  'run.waiting': 'waiting',
  'run.resumed': 'running',
  'run.cancelling': 'cancelling',
  'run.succeeded': 'succeeded',
  'run.failed': 'failed',
  'run.cancelled': 'cancelled',
  'run.timed_out': 'timed_out',
};

/** The log alone must tell a legal story, from `created` by moves of the table: where it ends, or null. */
function statusTold(types: readonly EventType[]): RunStatus | null {
  if (types[0] !== 'run.created') return null;
  let status: RunStatus = 'queued';
  for (const type of types.slice(1)) {
    const next = STATUS_OF[type];
    if (!next) continue;
    if (next === status || !mayMove(status, next)) return null;
    status = next;
  }
  return status;
}

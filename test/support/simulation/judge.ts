import { hasEnded, type EventType, type RunStatus, type RunWithPayloads } from '../../../src/runs/model.ts';
import { mayMove } from '../../../src/runs/state-table.ts';
import { stateOf } from './simulated-vendor.ts';
import type { Asked, Played } from './world.ts';

/** Crashes, lost answers of the store, look-ups and back-offs may hold a cancel up for this long, but not for ever. */
const CANCEL_PATIENCE_MS = 60_000;

/** Everything that the invariants promise of a played schedule; what does not hold, as sentences. */
export async function judge(played: Played): Promise<string[]> {
  const faults = [...played.complaints];
  for (const asked of played.asked) faults.push(...judgeRequest(asked, played));
  for (const run of played.runs) faults.push(...(await judgeRun(run, played)));
  const acknowledged = played.asked.reduce((sum, asked) => sum + asked.acknowledged.size, 0);
  if (acknowledged !== played.runs.length)
    faults.push(`${acknowledged - played.runs.length} acknowledged runs are lost`);
  if ((await played.store.countUnfinished()).total > 0) faults.push('a run never ended');
  return faults;
}

function judgeRequest(asked: Asked, { vendors, runs }: Played): string[] {
  const faults: string[] = [];
  const own = runs.filter((run) => asked.acknowledged.has(run.id));
  const begun = vendors.begun(asked.marker);
  // A key that was given back may begin another run; each run of its own begins at most one.
  if (asked.idempotent && own.filter((run) => !provablyUnstarted(run)).length > 1) {
    faults.push(`${asked.marker}: one idempotency key, several runs that may have begun`);
  }
  if (begun.length > 1) faults.push(`${asked.marker}: ${begun.length} runs began at the vendor`);
  if (!asked.idempotent && vendors.sent(asked.marker) > 1)
    faults.push(`${asked.marker}: sent ${vendors.sent(asked.marker)} times`);
  for (const refusal of asked.refusals) {
    if (!['store_unavailable', 'shutting_down', 'overloaded'].includes(refusal))
      faults.push(`${asked.marker}: refused with ${refusal}`);
  }
  return faults;
}

function provablyUnstarted(run: RunWithPayloads): boolean {
  return run.attempts.every((attempt) => attempt.state === 'not_begun');
}

async function judgeRun(run: RunWithPayloads, played: Played): Promise<string[]> {
  const faults: string[] = [];
  const say = (text: string) =>
    faults.push(`${run.id} (${run.kind}, ${run.status}, ${run.error?.code ?? '-'}): ${text}`);
  const events = await played.store.eventsAfter(run.id, 0, 1_000);
  if (events.some((event, i) => event.seq !== i + 1)) say('its events have a gap');
  if (events.length !== run.seq) say(`it has ${events.length} events and seq ${run.seq}`);
  if (!legal(events.map((event) => event.type))) say(`illegal moves: ${events.map((event) => event.type).join(', ')}`);
  if (!hasEnded(run)) say('it never ended');
  if (run.owner !== null || run.dueAt !== null) say('it has ended and is still cared for');
  const began = played.vendors.begun(markerOf(run));
  if (
    run.error?.retryable &&
    began.length > 0 &&
    provablyUnstarted(run) &&
    played.runs.filter((other) => markerOf(other) === markerOf(run)).length === 1
  ) {
    say('it says that nothing began, and something did');
  }
  const vendor = began[0];
  if (
    run.status === 'succeeded' &&
    run.kind !== 'ai-tutor' &&
    (!vendor || !['succeeded', 'partial'].includes(stateOf(vendor, played.now)))
  )
    say('it did not succeed at the vendor');
  if (
    run.status === 'cancelled' &&
    run.upstream.stopped === true &&
    vendor &&
    stateOf(vendor, played.now) !== 'cancelled'
  )
    say('the vendor did not stop');
  const cancelledAt = events.find((event) => event.type === 'run.cancelling')?.at;
  const ignoredMs = cancelledAt === undefined ? 0 : (run.finishedAt ?? played.now) - cancelledAt;
  if (ignoredMs > CANCEL_PATIENCE_MS && vendor?.cancelsAsked === 0) say('the vendor was never asked to stop');
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

/** The log alone must tell a legal story: from `created`, by moves of the table, to exactly one end. */
function legal(types: readonly EventType[]): boolean {
  if (types[0] !== 'run.created') return false;
  let status: RunStatus = 'queued';
  for (const type of types.slice(1)) {
    const next = STATUS_OF[type];
    if (!next) continue;
    if (next === status || !mayMove(status, next)) return false;
    status = next;
  }
  return hasEnded({ status });
}

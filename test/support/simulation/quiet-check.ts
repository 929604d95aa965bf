import { LIMITED_CALLERS, FREE_CALLERS } from './caller.ts';
import type { Process, ProcessParts } from './process.ts';
import { NARROW } from './resilience-plan.ts';
import { workflowIdOf } from '../workflow-ids.ts';

/** What was under way is over by then, and counts that were wrong for a moment are right again. */
const QUIET_MS = 8_000;
const READ_MS = 16_000;
/** More than the minute of the limits. */
const MINUTE_MS = 62_000;
/** After a leap: until the heartbeat is young, and what was due is done. */
const AWAKE_MS = 4_000;
const START_MS = 1_000;

type Parts = Pick<ProcessParts, 'clock' | 'journal' | 'inner' | 'registry' | 'credentials'>;

/** When nothing is under way any more, nothing counts as under way. */
export async function checkQuiet({ clock, journal, inner }: Parts, { engine, isOpen, alive }: Process): Promise<void> {
  await pass({ clock }, QUIET_MS);
  if (!alive() || !isOpen() || engine.unready() !== null) return;
  // A read may take long, though its run has ended.
  if (engine.gauges().readsInFlight > 0) await pass({ clock }, READ_MS);
  if (!alive()) return;
  const { startsInFlight, queued, unfinished, readsInFlight, breakers } = engine.gauges();
  const rows = await inner.countUnfinished();
  // A late request has begun another run.
  if (rows.queued > 0 || (startsInFlight > 0 && rows.total > 0)) return;
  const complain = (text: string) => void journal.complaints.push(`at the end ${text}`);
  if (queued !== rows.queued) complain(`${queued} runs count as queued, ${rows.queued} are`);
  if (unfinished !== rows.total) complain(`${unfinished} runs count as unfinished, ${rows.total} are`);
  if (startsInFlight > 0) complain(`${startsInFlight} starts are in flight`);
  // A run that waits for somebody who will not come is asked about now and then.
  if (readsInFlight > rows.total) complain(`${readsInFlight} reads are in flight`);
  if (new Set(breakers.map(({ credentialId }) => credentialId)).size < breakers.length)
    complain('a breaker is there twice');
}

/** A minute later, everything that the limits allow is free again: as many starts as they let through leave at once. */
export async function checkRoom(parts: Parts, process: Process): Promise<void> {
  const { clock, registry, credentials, journal, inner } = parts;
  clock.skip(MINUTE_MS);
  credentials.mend();
  await pass(parts, AWAKE_MS);
  if (!process.alive() || !process.isOpen() || process.engine.unready() !== null) return;
  if ((await inner.countUnfinished()).total > 0) return;
  // What was late when time leapt may have been begun since.
  if (journal.starts.some((noted) => noted.is === 'row' && noted.counted && noted.counted.at > clock.now() - MINUTE_MS))
    return;
  const narrow = registry.provider(NARROW);
  if (!narrow) return;
  const credentialsOfIt = await credentials.source(0).pool(narrow);
  const isClosed = process.engine
    .gauges()
    .breakers.every(({ provider, state }) => provider !== NARROW || state === 'closed');
  const { concurrency, requestsPerMinute, perCredential } = narrow.limits;
  const each = Math.min(perCredential.concurrency ?? Infinity, perCredential.requestsPerMinute ?? Infinity);
  // No more starts than the process may have in flight.
  const room = Math.min(concurrency ?? Infinity, requestsPerMinute ?? Infinity, each * credentialsOfIt.length, 3);
  const caller = LIMITED_CALLERS.find(({ limits }) => limits.runsPerDay === null && limits.concurrentRuns! >= room);
  if (!isClosed) return;
  const at = journal.starts.length;
  const created = Array.from({ length: room }, (_, i) =>
    startOne(process, caller ?? FREE_CALLERS[0]!, narrow.kind.kind, i),
  );
  await pass(parts, START_MS);
  const refusals = (await Promise.allSettled(created)).flatMap((one) =>
    one.status === 'rejected' ? [String(one.reason)] : [],
  );
  if (refusals.length > 0) journal.complaints.push(`a minute after the end a start was refused: ${refusals.join()}`);
  const left = new Set(journal.starts.slice(at).flatMap((noted) => (noted.is === 'left' ? [noted.runId] : [])));
  if (left.size !== room) journal.complaints.push(`a minute after the end ${left.size} of ${room} starts left`);
}

function startOne({ service }: Process, caller: (typeof FREE_CALLERS)[number], kind: string, i: number) {
  return service.create(
    caller,
    {
      workflow: workflowIdOf(kind, 'wf'),
      provider: NARROW,
      inputs: { text: `marker-0-${i}` },
      options: {},
      metadata: {},
      tags: [],
      onDisconnect: 'continue',
      webhook: null,
    },
    { trace: null, listening: false, idempotencyKey: null },
  );
}

async function pass({ clock }: Pick<Parts, 'clock'>, ms: number): Promise<void> {
  for (const untilMs = clock.monotonic() + ms; clock.monotonic() < untilMs;) if (!(await clock.step())) return;
}

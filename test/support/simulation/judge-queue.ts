import type { RunId } from '../../../src/core/ids.ts';
import type { Registry, StartLimits } from '../../../src/providers/registry.ts';
import { hasEnded, type Run } from '../../../src/runs/model.ts';
import { NARROW, credentialIdOf } from './resilience-plan.ts';
import type { StartNoted } from './journal-starts.ts';
import type { Journal } from './journal.ts';

/** What the rules about runs that wait for room look at. */
export interface QueuePlayed {
  histories: readonly { run: Run }[];
  journal: Pick<Journal, 'starts' | 'stopped'>;
  plan: { registry: Pick<Registry, 'provider'>; credentials: ReadonlyMap<string, readonly number[]> };
  /** From then on vendors are honest, and the store is fast. */
  calmAt: number;
}

/** Crashes, lost answers and a store that is down may hold up the end of a run for so long. */
const LATE_MS = 30_000;
/** After the last trouble, or a stop, everything goes its way again. */
const SETTLED_MS = 15_000;
/** Before its deadline: a process looks for room more often than that. */
const LOOK_MS = 3_000;
const COUNTED_MS = 61_000;
/** Starts that one process may have in flight. */
const PLACES = 3;
/** A key that comes anew waits for so many runs of another one more than it has had itself. */
const TURNS_AHEAD = 3;

type Row = Extract<StartNoted, { is: 'row' }>;

/** What does not hold of runs that wait, as sentences. */
export function judgeQueue(played: QueuePlayed): string[] {
  const rows = played.journal.starts.filter((noted) => noted.is === 'row');
  return [
    ...played.histories.flatMap(({ run }) =>
      [...judgeDeadline(run), ...judgeRoom(run, rows, played)].map((fault) => `${run.id} (${run.provider}): ${fault}`),
    ),
    ...judgeTurns(played.journal.starts),
  ];
}

function isBusy({ status }: Run): boolean {
  return status === 'running' || status === 'cancelling';
}

function hasNotBegun({ attempts }: Run): boolean {
  return attempts.every(({ state }) => state === 'not_begun');
}

function judgeDeadline(run: Run): string[] {
  const lateMs = (run.finishedAt ?? Infinity) - run.deadlineAt;
  return hasNotBegun(run) && lateMs > LATE_MS && hasEnded(run) ? [`it ended ${lateMs} ms after its deadline`] : [];
}

/** No run waits until its deadline while there is room for it. */
function judgeRoom(run: Run, rows: readonly Row[], played: QueuePlayed): string[] {
  if (run.error?.code !== 'run_timed_out' || !hasNotBegun(run)) return [];
  const { journal, plan, calmAt } = played;
  const at = run.deadlineAt - LOOK_MS;
  const isDisturbed = [...journal.stopped.values()].some(
    (stopped) => stopped > at - SETTLED_MS && stopped <= run.deadlineAt,
  );
  const wasTried = run.attempts.some((attempt) => attempt.at > at - SETTLED_MS);
  if (isDisturbed || wasTried || at < calmAt + SETTLED_MS) return [];
  // Room that somebody else takes before the deadline was found, and its turn was not this run's.
  const latest = new Map<RunId, Run>();
  for (const row of rows)
    if (row.at <= at || (row.at <= run.deadlineAt && isBusy(row.run))) latest.set(row.run.id, row.run);
  const busy = [...latest.values()].filter((other) => other.id !== run.id && isBusy(other));
  const starting = busy.filter(({ attempts }) => attempts.at(-1)?.state === 'open').length;
  const counted = rows.flatMap((row) =>
    row.counted && row.counted.at > at - COUNTED_MS && row.at <= at + LOOK_MS ? [row.counted] : [],
  );
  const hasRoom = (
    { concurrency, requestsPerMinute }: StartLimits,
    isThere: (one: { provider: string; credentialId: string | null }) => boolean,
  ) =>
    busy.filter(isThere).length < (concurrency ?? Infinity) &&
    counted.filter(isThere).length < (requestsPerMinute ?? Infinity);
  const limits = plan.registry.provider(run.provider)?.limits;
  const credentials = plan.credentials.get(run.provider) ?? [];
  const isHeldBack = journal.starts.some(
    (noted) => noted.is === 'breaker' && noted.credentialId.startsWith(run.provider) && noted.state !== 'closed',
  );
  if (!limits || isHeldBack || starting >= PLACES) return [];
  // A credential with which the vendor forbade this very start is of no use to it.
  const forbade = new Set(
    run.attempts.map((one) => (one.errorCode === 'upstream_forbidden' ? one.credentialId : null)),
  );
  const free = credentials.some((_, i) => {
    const id = credentialIdOf(run.provider, i);
    if (forbade.has(id)) return false;
    return isUsable(id, at, journal.starts) && hasRoom(limits.perCredential, ({ credentialId }) => credentialId === id);
  });
  const isFree = free && hasRoom(limits, ({ provider }) => provider === run.provider);
  return isFree ? ['there was room for it, and it was not begun until its deadline'] : [];
}

/** Usable at this time, and so since long before. */
function isUsable(id: string, at: number, starts: readonly StartNoted[]): boolean {
  const marked = starts.findLast((noted) => noted.is === 'marked' && noted.credentialId === id && noted.at <= at);
  if (marked?.is !== 'marked') return true;
  const { state } = marked;
  if (state.is === 'resting') return state.until < at - LOOK_MS;
  return state.is === 'usable' && marked.at < at - 2 * LOOK_MS;
}

/** While a run of one key waits in the queue, no other key's queued runs are begun again and again. */
function judgeTurns(starts: readonly StartNoted[]): string[] {
  const faults: string[] = [];
  const waiting = new Map<RunId, { lineage: string; own: number; others: Map<string, number>; process: number }>();
  for (const noted of starts) {
    if (noted.is === 'row') {
      const { run, created, process } = noted;
      const joins = created && run.status === 'queued' && run.provider === NARROW;
      if (joins) waiting.set(run.id, { lineage: run.lineage, own: 0, others: new Map(), process });
      else waiting.delete(run.id);
    }
    if (noted.is !== 'claimed' || noted.provider !== NARROW) continue;
    const { id, lineage, process } = noted;
    waiting.delete(id);
    for (const [other, entry] of waiting) {
      // A process that comes up begins its rounds anew.
      if (entry.process !== process) Object.assign(entry, { own: 0, others: new Map(), process });
      if (entry.lineage === lineage) entry.own += 1;
      else entry.others.set(lineage, (entry.others.get(lineage) ?? 0) + 1);
      const most = Math.max(0, ...entry.others.values());
      if (most > entry.own + TURNS_AHEAD) faults.push(`${other}: ${most} runs of another key were begun before it`);
    }
  }
  return faults;
}

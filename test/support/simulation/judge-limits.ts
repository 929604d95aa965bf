import type { RunId } from '../../../src/core/ids.ts';
import type { Registry, StartLimits } from '../../../src/providers/registry.ts';
import { hasEnded, type Run } from '../../../src/runs/model.ts';
import type { CountedStart } from '../../../src/runs/ports.ts';
import { NARROW } from './resilience-plan.ts';
import type { StartNoted } from './journal-starts.ts';

const MINUTE_MS = 60_000;

/** What the rules about limits of providers look at. */
export interface LimitsPlayed {
  journal: { starts: readonly StartNoted[] };
  plan: { registry: Pick<Registry, 'provider'> };
}

/** What does not hold of a provider's limits, as sentences. */
export function judgeLimits({ journal, plan }: LimitsPlayed): string[] {
  const limits = plan.registry.provider(NARROW)?.limits;
  if (!limits) return [];
  const { starts } = journal;
  const counted = countedThatLeft(starts);
  const byCredential = Map.groupBy(counted, ({ credentialId }) => credentialId);
  const isCounted = limits.requestsPerMinute !== null || limits.perCredential.requestsPerMinute !== null;
  return [
    ...judgeMinutes(NARROW, counted, limits),
    ...[...byCredential].flatMap(([id, own]) => judgeMinutes(id, own, limits.perCredential)),
    ...(isCounted ? judgeCounted(starts) : []),
    ...judgeConcurrency(starts, NARROW, limits, ({ provider }) => provider === NARROW),
    ...[...credentialsIn(starts)].flatMap((id) =>
      judgeConcurrency(starts, id, limits.perCredential, ({ credentialId }) => credentialId === id),
    ),
  ];
}

/** Where a process was not told that its row is written, nothing has left. */
function countedThatLeft(starts: readonly StartNoted[]): CountedStart[] {
  const waiting = new Map<RunId, CountedStart>();
  const left: CountedStart[] = [];
  for (const noted of starts) {
    if (noted.is === 'row' && noted.counted) waiting.set(noted.run.id, noted.counted);
    const counted = noted.is === 'left' ? waiting.get(noted.runId) : undefined;
    if (noted.is !== 'left' || counted?.credentialId !== noted.credentialId) continue;
    waiting.delete(noted.runId);
    left.push(counted);
  }
  return left;
}

function judgeMinutes(name: string, counted: readonly CountedStart[], { requestsPerMinute }: StartLimits): string[] {
  if (requestsPerMinute === null) return [];
  const times = counted.map(({ at }) => at).sort((a, b) => a - b);
  const tooClose = times.findIndex((at, i) => i >= requestsPerMinute && at - times[i - requestsPerMinute]! < MINUTE_MS);
  return tooClose < 0 ? [] : [`${name}: more than ${requestsPerMinute} starts in a minute`];
}

/** Each start that leaves was counted before. */
function judgeCounted(starts: readonly StartNoted[]): string[] {
  const free = new Map<RunId, number>();
  const faults: string[] = [];
  for (const noted of starts) {
    if (noted.is === 'row' && noted.counted) free.set(noted.run.id, (free.get(noted.run.id) ?? 0) + 1);
    if (noted.is !== 'left' || noted.provider !== NARROW || noted.step !== 'start') continue;
    const left = (free.get(noted.runId) ?? 0) - 1;
    free.set(noted.runId, left);
    if (left < 0) faults.push(`${noted.runId}: a start left that was not counted`);
  }
  return faults;
}

function credentialsIn(starts: readonly StartNoted[]): Set<string> {
  return new Set(
    starts.flatMap((noted) => (noted.is === 'left' && noted.provider === NARROW ? [noted.credentialId] : [])),
  );
}

/** Runs that have left and whose rows go on; those that have waited go on whenever their vendors like. */
function judgeConcurrency(
  starts: readonly StartNoted[],
  name: string,
  { concurrency }: StartLimits,
  isThere: (at: Pick<Run, 'provider' | 'credentialId'>) => boolean,
): string[] {
  if (concurrency === null) return [];
  const faults: string[] = [];
  const busy = new Set<RunId>();
  const waited = new Set<RunId>();
  /** Where somebody was faster than the news that a start is written, it leaves for a run that is over. */
  const over = new Set<RunId>();
  for (const noted of starts) {
    if (noted.is === 'row') {
      const { run } = noted;
      if (run.status === 'waiting') waited.add(run.id);
      const goesOn = (run.status === 'running' || run.status === 'cancelling') && isThere(run);
      if (!goesOn || waited.has(run.id)) busy.delete(run.id);
      if (hasEnded(run)) over.add(run.id);
    }
    if (noted.is !== 'left' || !isThere(noted) || busy.has(noted.runId) || over.has(noted.runId)) continue;
    busy.add(noted.runId);
    if (busy.size > concurrency) faults.push(`${name}: ${busy.size} runs at once, ${noted.runId} the last`);
  }
  return faults;
}

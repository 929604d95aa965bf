import type { CallerLimits } from '../../../src/core/caller.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { hasEnded } from '../../../src/runs/model.ts';
import { LIMITED_CALLERS } from './caller.ts';
import type { StartNoted } from './journal-starts.ts';

/** What a process has not heard of yet when a request of a caller is refused. */
const SLOW_MS = 15_000;

/** What does not hold of the limits of callers, as sentences. */
export function judgeCallers(starts: readonly StartNoted[], callers = LIMITED_CALLERS): string[] {
  return callers.flatMap(({ lineage, limits }) =>
    [...judgeAtOnce(starts, lineage, limits), ...judgeDays(starts, lineage, limits)].map(
      (fault) => `${lineage}: ${fault}`,
    ),
  );
}

/** By rows; those whose creation failed, as far as their process knew, count from their next move on. */
function judgeAtOnce(starts: readonly StartNoted[], lineage: string, { concurrentRuns }: CallerLimits): string[] {
  if (concurrentRuns === null) return [];
  const faults: string[] = [];
  const unfinished = new Set<RunId>();
  const untold = new Set(starts.flatMap((noted) => (noted.is === 'untold' ? [noted.id] : [])));
  const endedAt: number[] = [];
  for (const noted of starts) {
    if (noted.is === 'refused' && noted.lineage === lineage && noted.code === 'concurrency_limited') {
      const lately = endedAt.filter((at) => at > noted.askedAt - SLOW_MS).length;
      // Other requests may be about to be written, and come to nothing.
      const beside = starts.filter((other) => {
        return other.is === 'asked' && other.lineage === lineage && Math.abs(other.at - noted.askedAt) < SLOW_MS;
      }).length;
      if (unfinished.size + lately + beside - 1 < concurrentRuns)
        faults.push('a run was refused as one too many at once, and was not');
    }
    if (noted.is !== 'row' || noted.run.lineage !== lineage) continue;
    const { id } = noted.run;
    if (hasEnded(noted.run)) {
      if (unfinished.delete(id)) endedAt.push(noted.at);
    } else if (!noted.created || !untold.has(id)) unfinished.add(id);
    if (noted.created && !untold.has(id) && unfinished.size > concurrentRuns)
      faults.push(`${unfinished.size} unfinished runs at once`);
  }
  return faults;
}

function judgeDays(starts: readonly StartNoted[], lineage: string, { runsPerDay }: CallerLimits): string[] {
  if (runsPerDay === null) return [];
  const faults: string[] = [];
  const byDay = new Map<string, number>();
  for (const noted of starts) {
    if (isCreation(noted, lineage)) {
      const day = dayOf(noted.run.createdAt);
      const runs = (byDay.get(day) ?? 0) + 1;
      byDay.set(day, runs);
      if (runs > runsPerDay) faults.push(`${runs} runs on ${day}`);
    }
    if (noted.is !== 'refused' || noted.lineage !== lineage || noted.code !== 'quota_exceeded') continue;
    const days = [dayOf(noted.askedAt), dayOf(noted.at)];
    if (days.every((day) => (byDay.get(day) ?? 0) < runsPerDay))
      faults.push('a run was refused before the day was used up');
  }
  return faults;
}

function isCreation(noted: StartNoted, lineage: string): noted is Extract<StartNoted, { is: 'row' }> {
  return noted.is === 'row' && noted.created && noted.run.lineage === lineage;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

import type { RunId } from '../../../src/core/ids.ts';
import type { Registry } from '../../../src/providers/registry.ts';
import type { Attempt, Run } from '../../../src/runs/model.ts';
import type { Left, StartAnswer, StartNoted } from './journal-starts.ts';
import type { Journal, RunHistory } from './journal.ts';

/** What the rules about where starts go look at. */
export interface StartsPlayed {
  histories: readonly Pick<RunHistory, 'run'>[];
  journal: Pick<Journal, 'starts' | 'stopped'>;
  plan: { registry: Pick<Registry, 'provider'>; credentials: ReadonlyMap<string, readonly number[]> };
}

/** What does not hold of starts over vendors and credentials, as sentences. */
export function judgeStarts(played: StartsPlayed): string[] {
  const { journal, histories } = played;
  const byRun = Map.groupBy(
    journal.starts.filter((noted) => noted.is === 'left'),
    ({ runId }) => runId,
  );
  const backs = new Map<number, StartAnswer>();
  for (const noted of journal.starts) if (noted.is === 'back') backs.set(noted.number, noted.how);
  const faults: string[] = [];
  for (const [id, left] of byRun) faults.push(...judgeProofs(left, backs, played).map((fault) => `${id}: ${fault}`));
  for (const { run } of histories) {
    const left = byRun.get(run.id) ?? [];
    faults.push(...judgeAttempts(run, left, played).map((fault) => `${run.id} (${run.kind}): ${fault}`));
  }
  return [...faults, ...judgePlaces(journal.starts, played)];
}

/** The strongest rule: a start leaves after another only with proof that the other began nothing. */
function judgeProofs(left: readonly Left[], backs: ReadonlyMap<number, StartAnswer>, { plan }: StartsPlayed): string[] {
  const faults: string[] = [];
  for (const [i, start] of left.entries()) {
    if (start.step === 'token' || i === left.length - 1) continue;
    const how = backs.get(start.number) ?? 'unknown';
    const kind = plan.registry.provider(start.provider)?.kind;
    const next = left[i + 1]!;
    const isProven = how === 'unsent' || (typeof how === 'number' && kind?.notStarted({ status: how }) === true);
    if (!isProven)
      faults.push(`it was sent to ${next.provider} after ${start.provider} had it, or may have had (${how})`);
  }
  return faults;
}

/** The run tells each call that left for it, in order; what it tells besides never left. */
function judgeAttempts(run: Run, left: readonly Left[], { journal }: StartsPlayed): string[] {
  const waiting = [...left];
  const silent: Attempt[] = [];
  for (const attempt of run.attempts) {
    const [next] = waiting;
    const isIt =
      next?.step === attempt.step &&
      next.provider === attempt.provider &&
      next.credentialId === attempt.credentialId &&
      next.at >= attempt.at;
    if (isIt) waiting.shift();
    else silent.push(attempt);
  }
  const faults: string[] = [];
  if (waiting.length > 0) {
    const told = run.attempts.map(({ step, provider, credentialId }) => `${step} ${provider} ${credentialId}`).join();
    const seen = left.map(({ step, provider, credentialId }) => `${step} ${provider} ${credentialId}`).join();
    faults.push(`vendors saw ${seen}, and its attempts are ${told}`);
  }
  if (run.attempts.some(({ number }, i) => number !== i + 1)) faults.push('its attempts are not numbered in order');
  for (const attempt of silent) {
    if (attempt.state === 'not_begun' || isCutShort(run.id, attempt, journal)) continue;
    faults.push(`attempt ${attempt.number} (${attempt.state}) never left`);
  }
  return faults;
}

/** The process that had written the attempt stopped before it could send it, or heard of the commit too late. */
function isCutShort(id: RunId, { number }: Attempt, { starts, stopped }: StartsPlayed['journal']): boolean {
  const row = starts.find((noted) => noted.is === 'row' && noted.run.id === id && noted.run.attempts.length >= number);
  const wasTold = !starts.some((noted) => noted.is === 'untold' && noted.id === id);
  return row?.is !== 'row' || stopped.has(row.process) || !wasTold;
}

/** The answer to the write of an attempt was lost, and it was written once more: the place was taken before. */
function isWrittenAgain({ attempts }: Run): boolean {
  const [before, last] = attempts.slice(-2);
  const isSame = before?.credentialId === last?.credentialId && before?.step === last?.step;
  return isSame && before?.state === 'not_begun' && before.errorCode === null;
}

/** Nothing goes to a credential that is set aside, rests, or whose breaker is open. */
function judgePlaces(starts: readonly StartNoted[], { plan }: StartsPlayed): string[] {
  const faults: string[] = [];
  const breakers = new Map<string, { state: string; at: number }>();
  const credentials = new Map<string, Extract<StartNoted, { is: 'marked' }>>();
  const attempts = new Map<RunId, number>();
  for (const noted of starts) {
    if (noted.is === 'breaker') breakers.set(`${noted.process} ${noted.credentialId}`, noted);
    if (noted.is === 'marked') credentials.set(noted.credentialId, noted);
    if (noted.is !== 'row') continue;
    const { run, process } = noted;
    const known = attempts.get(run.id) ?? 0;
    attempts.set(run.id, run.attempts.length);
    const opened = run.attempts.at(-1);
    // A stream whose token is there takes the same place.
    const follows = opened?.step === 'start' && run.attempts.at(-2)?.step === 'token';
    if (!opened || run.attempts.length <= known || opened.state !== 'open' || follows) continue;
    const id = opened.credentialId ?? '';
    const breaker = breakers.get(`${process} ${id}`);
    if (breaker?.state === 'open' && breaker.at < opened.at)
      faults.push(`${run.id}: attempt ${opened.number} left while the breaker of ${id} was open`);
    const marked = credentials.get(id);
    const isOnly = plan.credentials.get(opened.provider)?.length === 1;
    if (!marked || marked.at >= opened.at) continue;
    if (isWrittenAgain(run)) continue;
    if (marked.state.is === 'set_aside' && !isOnly)
      faults.push(`${run.id}: attempt ${opened.number} left with ${id}, which was set aside`);
    if (marked.state.is === 'resting' && marked.state.until > opened.at)
      faults.push(`${run.id}: attempt ${opened.number} left with ${id}, which was to rest`);
  }
  return faults;
}

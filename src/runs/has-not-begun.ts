import type { Run } from './model.ts';

/**
 * Whether the run surely exists nowhere but here: never sent, or its last attempt is proven not to have begun it, or
 * that attempt is a token step, which cannot. An attempt that was repeated because nobody knows what became of it may have.
 */
export function hasNotBegun({ status, attempts }: Pick<Run, 'status' | 'attempts'>): boolean {
  if (status === 'queued') return true;
  if (attempts.some(({ state }) => state === 'began')) return false;
  const last = attempts.at(-1);
  return last?.state === 'not_begun' || (last?.state === 'open' && last.step === 'token');
}

/** Whether a start before the last one may have begun the run: what the last one proves is only said of itself. */
export function mayHaveBegunBefore({ attempts }: Pick<Run, 'attempts'>): boolean {
  return attempts.slice(0, -1).some(({ state }) => state === 'began');
}

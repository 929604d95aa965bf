import type { Run } from './model.ts';

/**
 * Whether the run surely exists nowhere but here: never sent, or its last attempt is proven not to have begun it, or
 * that attempt is a token step, which cannot.
 */
export function hasNotBegun({ status, attempts }: Pick<Run, 'status' | 'attempts'>): boolean {
  if (status === 'queued') return true;
  const last = attempts.at(-1);
  return last?.state === 'not_begun' || (last?.state === 'open' && last.step === 'token');
}

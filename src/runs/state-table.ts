import type { RunStatus } from './model.ts';

/** Every change of status that there is; anything else is a bug. Staying in a status is no change. */
export const TRANSITIONS = {
  queued: ['running', 'failed', 'cancelled', 'timed_out'],
  running: ['waiting', 'cancelling', 'succeeded', 'failed', 'cancelled', 'timed_out'],
  waiting: ['running', 'cancelling', 'succeeded', 'failed', 'cancelled', 'timed_out'],
  cancelling: ['running', 'waiting', 'cancelled', 'succeeded', 'failed', 'timed_out'],
  succeeded: [],
  failed: [],
  cancelled: [],
  timed_out: [],
} as const satisfies Record<RunStatus, readonly RunStatus[]>;

/** Whether a run in `from` may be written as `to`. */
export function mayMove(from: RunStatus, to: RunStatus): boolean {
  const next: readonly RunStatus[] = TRANSITIONS[from];
  return next.includes(to) || (from === to && next.length > 0);
}

import type { Random } from '../core/random.ts';

/** How long after a failed try the next one comes; after the last of them there is none. */
const LADDER_MS = [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000] as const;
/** Each wait is longer by up to this part of itself, so that what failed together does not come back together. */
const JITTER = 0.1;

/**
 * Milliseconds until the next try of a message that has now failed `tries` times; never earlier than the ladder says, and
 * later where the target asks for it. Null: it was the last one.
 */
export function nextTryMs(tries: number, retryAfterMs: number, random: Pick<Random, 'float'>): number | null {
  const waitMs = LADDER_MS[tries - 1];
  if (waitMs === undefined) return null;
  const jittered = Math.ceil(waitMs * (1 + JITTER * random.float()));
  return Math.max(jittered, retryAfterMs);
}

import type { StartLimits } from '../providers/registry.ts';
import type { StartLog } from './start-log.ts';

/**
 * For so long a counted start is remembered: the minute of the limits, and a second more, since a start that leaves
 * later may be on its way for a shorter time and arrive earlier.
 */
export const COUNTED_START_MS = 61_000;

/** What is known of starts under the same limits; undefined: nothing, there were none. */
interface StartsSoFar {
  readonly starts: StartLog;
  /** Starts taken, and not yet among the busy runs. */
  readonly reserved: number;
}

/** Whether these limits bound anything. */
export function isBound({ concurrency, requestsPerMinute }: StartLimits): boolean {
  return concurrency !== null || requestsPerMinute !== null;
}

/** How many more runs may be begun now; `busy` is only asked where there is a bound. */
export function placesLeft({ concurrency }: StartLimits, soFar: StartsSoFar | undefined, busy: () => number): number {
  return concurrency === null ? Infinity : Math.max(0, concurrency - busy() - (soFar?.reserved ?? 0));
}

/** How many more starts may leave in this minute. */
export function slotsLeft({ requestsPerMinute }: StartLimits, soFar: StartsSoFar | undefined, nowMs: number): number {
  if (requestsPerMinute === null) return Infinity;
  if (!soFar) return requestsPerMinute;
  soFar.starts.forgetUntil(nowMs - COUNTED_START_MS);
  return Math.max(0, requestsPerMinute - soFar.starts.size);
}

/** Milliseconds until the start behind so many others has its slot, if each of them leaves as soon as it may. */
export function slotInMs(
  { requestsPerMinute }: StartLimits,
  soFar: StartsSoFar | undefined,
  { ahead, nowMs }: { ahead: number; nowMs: number },
): number {
  if (requestsPerMinute === null) return 0;
  const starts = soFar?.starts;
  starts?.forgetUntil(nowMs - COUNTED_START_MS);
  const rounds = Math.floor(ahead / requestsPerMinute);
  // Of the starts that are remembered, the last one that has to be forgotten before.
  const number = (starts?.size ?? 0) - requestsPerMinute + (ahead % requestsPerMinute);
  const inMs = starts && number >= 0 ? Math.max(0, starts.at(number) + COUNTED_START_MS - nowMs) : 0;
  return Math.ceil(inMs + rounds * COUNTED_START_MS);
}

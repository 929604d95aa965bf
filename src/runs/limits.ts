/** Bounds of the engine; each is a setting. */
export interface EngineLimits {
  /** Starts in flight in this process; runs beyond it stay `queued`. */
  startsMax: number;
  /** `queued` runs; beyond it new ones are refused with `overloaded`. */
  queuedMax: number;
  /** Polls, look-ups and cancels in flight in this process. */
  pollsMax: number;
  /** How long a drain waits for blocking calls. */
  drainTimeoutMs: number;
  /** Ended runs are deleted after this long. */
  retentionMs: number;
}

/** Bounds of the engine; each is a setting. */
export interface EngineLimits {
  /** Starts in flight in this process; runs beyond it stay `queued`. */
  startsMax: number;
  /** `queued` runs; beyond it new ones are refused with `overloaded`. */
  queuedMax: number;
  /** Polls, look-ups and cancels in flight in this process. */
  pollsMax: number;
  /** Polls and the like in flight for one provider. */
  pollsPerProviderMax: number;
  /** A vendor's output is gathered for so long, or to so many characters, before it is an event. */
  deltaGroupMs: number;
  deltaGroupCharacters: number;
  /** Characters of events that wait at most for a reader that is slower than they come. */
  readerBufferCharacters: number;
  /** A reader of events that takes nothing for so long is cut off. */
  slowReaderMs: number;
  /** Webhook messages in flight in this process. */
  deliveriesMax: number;
  breaker: BreakerLimits;
  retries: RetryLimits;
  timeouts: CallTimeouts;
  /** How long a drain waits for blocking calls. */
  drainTimeoutMs: number;
  /** Ended runs are deleted after this long. */
  retentionMs: number;
}

export interface BreakerLimits {
  /** Below so many starts in the window, nothing is concluded. */
  callsMin: number;
  /** Of the starts in the window: 0 to 1. */
  failureShare: number;
  windowMs: number;
  /** How long it stays open before one start is let through. */
  openMs: number;
}

export interface RetryLimits {
  /** Further starts of one run at the same provider with the same credential. */
  triesMax: number;
  /** Of a provider's starts: 0 to 1. */
  budgetShare: number;
  /** Full jitter: a chance time up to this, doubled each time, up to `waitMsMax`. */
  waitMs: number;
  waitMsMax: number;
}

/** Of one call to a vendor, where neither its kind nor its provider says otherwise. */
export interface CallTimeouts {
  headersMs: number;
  idleMs: number;
  totalMs: number;
}

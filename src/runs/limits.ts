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
  /** How long a drain waits for blocking calls. */
  drainTimeoutMs: number;
  /** Ended runs are deleted after this long. */
  retentionMs: number;
}

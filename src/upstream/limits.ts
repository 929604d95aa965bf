/** Everything that bounds outbound traffic. */
export interface UpstreamLimits {
  /** DNS, TCP and TLS together. */
  connectTimeoutMs: number;
  /** Open connections for one origin and connection class. */
  connectionsPerOriginMax: number;
  /** Calls that may wait for one of those connections; one more is refused at once, unsent. */
  waitingPerOriginMax: number;
  /** Pools kept, one for each origin and connection class; idle ones make room. */
  poolsMax: number;
  /** Size of a vendor's answer, without its head. */
  answerBytesMax: number;
}

/** The limits that are no settings. 1,024 waiting calls hold their bodies (1 MiB at most) in memory. */
export const FIXED_UPSTREAM_LIMITS = {
  waitingPerOriginMax: 1_024,
  poolsMax: 512,
} as const satisfies Partial<UpstreamLimits>;

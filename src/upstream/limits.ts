/** Everything that bounds outbound traffic. Each is a setting; `DEFAULT_UPSTREAM_LIMITS` gives the reasons. */
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

/**
 * A blocking start holds its connection for minutes, so 256 connections are 256 such runs per origin, some 10 to 25 MB
 * with TLS; a vendor's own limits bite long before. 1,024 waiting calls hold their bodies (1 MiB at most) in memory.
 */
export const DEFAULT_UPSTREAM_LIMITS: UpstreamLimits = {
  connectTimeoutMs: 5_000,
  connectionsPerOriginMax: 256,
  waitingPerOriginMax: 1_024,
  poolsMax: 512,
  answerBytesMax: 10 * 1024 * 1024,
};

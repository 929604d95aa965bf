import type { EngineLimits } from '../../src/runs/limits.ts';

/** Bounds for an engine under test; small where a test wants to reach them. */
export function engineLimits(overrides: Partial<EngineLimits> = {}): EngineLimits {
  return {
    startsMax: 10,
    queuedMax: 10,
    pollsMax: 10,
    pollsPerProviderMax: 10,
    deltaGroupMs: 50,
    deltaGroupCharacters: 4_096,
    readerBufferCharacters: 262_144,
    slowReaderMs: 30_000,
    deliveriesMax: 8,
    breaker: { callsMin: 1_000_000, failureShare: 1, windowMs: 30_000, openMs: 15_000 },
    retries: { triesMax: 0, budgetShare: 0.1, waitMs: 250, waitMsMax: 5_000 },
    timeouts: { headersMs: 30_000, idleMs: 30_000, totalMs: 3_600_000 },
    drainTimeoutMs: 1_000,
    retentionMs: 1e12,
    ...overrides,
  };
}

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
    drainTimeoutMs: 1_000,
    retentionMs: 1e12,
    ...overrides,
  };
}

import type { Caller, CallerLimits } from '../../../src/core/caller.ts';

const UNLIMITED: CallerLimits = { requestsPerMinute: null, concurrentRuns: null, runsPerDay: null };

/** A key of its own line. */
function keyOf(lineage: string, limits: Partial<CallerLimits>): Caller {
  return {
    keyId: lineage,
    keyName: 'simulation',
    lineage,
    keyExpiresAt: null,
    subject: null,
    token: null,
    origins: [],
    role: 'runs',
    allowedWorkflows: [],
    allowedProviders: [],
    limits: { ...UNLIMITED, ...limits },
  };
}

/** Who looks after runs once they are begun: everybody's. */
export const CALLER: Caller = { ...keyOf('k', {}), role: 'admin' };

/** Whose runs may be as many as they like. */
export const FREE_CALLERS: readonly Caller[] = [keyOf('k', {}), keyOf('m', {})];

export const LIMITED_CALLERS: readonly Caller[] = [
  keyOf('two-at-once', { concurrentRuns: 2 }),
  keyOf('three-a-day', { runsPerDay: 3 }),
  keyOf('one-at-once-four-a-day', { concurrentRuns: 1, runsPerDay: 4 }),
];

import type { CallerLimits } from '../core/caller.ts';
import { GatewayError } from '../core/errors.ts';

/** The most that any limit of a key may be. */
export const KEY_LIMIT_MAX = 1_000_000;

/** Of a key that may use up whatever it likes. */
export const NO_LIMITS: Readonly<CallerLimits> = Object.freeze({
  requestsPerMinute: null,
  concurrentRuns: null,
  runsPerDay: null,
});

/** Each limit as the admin API calls it, and every document. */
const LIMIT_NAMES = {
  requestsPerMinute: 'requests_per_minute',
  concurrentRuns: 'concurrent_runs',
  runsPerDay: 'runs_per_day',
} as const satisfies Record<keyof CallerLimits, string>;

/** Checks a new key's limits. Throws `invalid_request` naming the one at fault. */
export function checkLimits(limits: CallerLimits): void {
  for (const [limit, name] of Object.entries(LIMIT_NAMES)) {
    const value = limits[limit as keyof CallerLimits];
    if (value === null || (Number.isInteger(value) && value >= 1 && value <= KEY_LIMIT_MAX)) continue;
    const message = `A key's limit ${name} is a whole number from 1 to ${KEY_LIMIT_MAX}.`;
    throw new GatewayError('invalid_request', { message, param: `limits.${name}` });
  }
}

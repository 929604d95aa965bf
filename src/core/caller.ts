/** What a key may do: only `runs` starts runs; `viewer` reads, `admin` manages. */
export type Role = 'runs' | 'viewer' | 'admin';
export const ROLES = ['runs', 'viewer', 'admin'] as const satisfies readonly Role[];

/** What a key may use up; null: no bound. They hold for its whole line of rotated keys together. */
export interface CallerLimits {
  requestsPerMinute: number | null;
  /** Unfinished runs at once, waiting ones in. */
  concurrentRuns: number | null;
  /** New runs in one day of UTC. */
  runsPerDay: number | null;
}

/** Who is asking, proven. */
export interface Caller {
  keyId: string;
  keyName: string;
  /** Id of the first key of a line of rotated keys; runs and idempotency keys belong to it. */
  lineage: string;
  /** The user behind a browser token; null for a key. */
  subject: string | null;
  role: Role;
  /** Registered workflow names. Both lists empty: everything is allowed. */
  allowedWorkflows: readonly string[];
  /** `provider` or `provider/vendor-id`. */
  allowedProviders: readonly string[];
  limits: CallerLimits;
}

/** Whether the caller sees every key's runs, not only its own. A role that is not named here does not. */
export function seesEveryone({ role }: Pick<Caller, 'role'>): boolean {
  return role === 'admin' || role === 'viewer';
}

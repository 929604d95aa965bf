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

/** The browser token, or a user's own JWT, that a caller came with. */
export interface CallerToken {
  id: string;
  /** How many runs it may start; null: as many as its key. */
  runsMax: number | null;
  /** Milliseconds since 1970. */
  expiresAt: number;
  /** The one page that may use it; null: those of its key. */
  origin: string | null;
}

/** Who is asking, proven. */
export interface Caller {
  keyId: string;
  keyName: string;
  /** When the key ends, milliseconds since 1970; null: never. A token never outlives it. */
  keyExpiresAt: number | null;
  /** Id of the first key of a line of rotated keys; runs and idempotency keys belong to it. */
  lineage: string;
  /** The user behind a token; null for a key, and for a token that names none. */
  subject: string | null;
  /** Null for a key. */
  token: CallerToken | null;
  role: Role;
  /** Registered workflow names. Both lists empty: everything is allowed. */
  allowedWorkflows: readonly string[];
  /** `provider` or `provider/vendor-id`. */
  allowedProviders: readonly string[];
  limits: CallerLimits;
  /** Browser origins that may use it, serialized; of a token that is bound to one, that one. */
  origins: readonly string[];
}

/** No subject begins with it: a subject is printable. */
const TOKEN_SCOPE_START = '\n';

/**
 * What of a lineage's runs and idempotency keys the caller has to itself: `''` for a key, which has them all,
 * a token's subject, and for a token without one a scope of its own (a line feed and the token's id).
 */
export function scopeOf({ subject, token }: Pick<Caller, 'subject' | 'token'>): string {
  if (token === null) return '';
  return subject ?? `${TOKEN_SCOPE_START}${token.id}`;
}

/** The subject that people are shown for a scope; null for a key's and for a token's own. */
export function subjectOf(scope: string | null): string | null {
  return scope === null || scope === '' || scope.startsWith(TOKEN_SCOPE_START) ? null : scope;
}

/** Whether the caller sees every key's runs, not only its own. A role that is not named here does not. */
export function seesEveryone({ role }: Pick<Caller, 'role'>): boolean {
  return role === 'admin' || role === 'viewer';
}

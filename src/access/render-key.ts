import { isoTime, isoTimeOrNull } from '../core/iso-time.ts';
import type { MadeKey } from './manage-keys.ts';
import type { StoredKey } from './ports.ts';

type KeyStatus = 'active' | 'expired' | 'revoked';

/** Whether a key works now. */
export function keyStatus({ revokedAt, expiresAt }: StoredKey, now: number): KeyStatus {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'active';
}

/** A client key as operators see it, at the command line and at the admin API: never its hash. */
export function renderKey(key: StoredKey, now: number): object {
  return {
    id: key.id,
    object: 'key',
    name: key.name,
    role: key.role,
    status: keyStatus(key, now),
    allowed_workflows: key.allowedWorkflows,
    allowed_providers: key.allowedProviders,
    limits: {
      requests_per_minute: key.limits.requestsPerMinute,
      concurrent_runs: key.limits.concurrentRuns,
      runs_per_day: key.limits.runsPerDay,
    },
    origins: key.origins,
    created_at: isoTime(key.createdAt),
    expires_at: isoTimeOrNull(key.expiresAt),
    revoked_at: isoTimeOrNull(key.revokedAt),
    last_used_at: isoTimeOrNull(key.lastUsedAt),
  };
}

/** The same with its secrets: the one answer that shows them. */
export function renderMadeKey({ stored, key, webhookSecret }: MadeKey, now: number): object {
  const shown = webhookSecret === null ? {} : { webhook_secret: webhookSecret.open() };
  return { ...renderKey(stored, now), key: key.open(), ...shown };
}

/** The same of a key that takes another's place, with that one as it is now. */
export function renderRotatedKey(made: MadeKey & { replaced: StoredKey }, now: number): object {
  return { ...renderMadeKey(made, now), replaces: renderKey(made.replaced, now) };
}

import type { StoredKey } from '../access/ports.ts';
import { formatTime } from './table.ts';

export type KeyStatus = 'active' | 'expired' | 'revoked';

/** Whether a key works now. */
export function keyStatus({ revokedAt, expiresAt }: StoredKey, now: number): KeyStatus {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'active';
}

/** A client key as `--json` shows it: never its hash. */
export function keyDocument(key: StoredKey, now: number): object {
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
    created_at: formatTime(key.createdAt),
    expires_at: formatTime(key.expiresAt),
    revoked_at: formatTime(key.revokedAt),
  };
}

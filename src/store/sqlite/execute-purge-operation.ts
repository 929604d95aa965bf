import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { PlainStatement } from './operations.ts';
import { changes } from './statement-calls.ts';

/** Pages given back to the disk at a time, once a quarter of the file and more than 4 MB of it are free. */
const VACUUM_SHARE = 4;
const VACUUM_FREE_PAGES_MIN = 1_024;
/** Rows that have served, deleted in one commit. */
const SERVED_CLAIMS_MAX = 1_000;
const SERVED_TOKENS_MAX = 10_000;
/** How long a token's count stays behind its end. */
const TOKEN_RUNS_KEPT_MS = 60_000;

/**
 * Rows that have served, so many of each at most; true: there may be more. Tokens' counts wait a while longer, for whoever's
 * clock is behind.
 */
export function purgeServed(
  plain: (name: PlainStatement) => StatementSync,
  claimedBefore: number,
  now: number,
): boolean {
  const claims = changes(plain('purgeIdempotency'), [claimedBefore, SERVED_CLAIMS_MAX]);
  const tokens = changes(plain('purgeTokenRuns'), [now - TOKEN_RUNS_KEPT_MS, SERVED_TOKENS_MAX]);
  plain('deleteExpiredSigningKeys').run(now);
  return claims === SERVED_CLAIMS_MAX || tokens === SERVED_TOKENS_MAX;
}

/** Gives free pages at the end of the file back; freed pages are reused anyway, so only a large rest is worth moving. */
export function vacuum(db: DatabaseSync): number {
  const before = pragma(db, 'PRAGMA freelist_count');
  if (before < VACUUM_FREE_PAGES_MIN || before * VACUUM_SHARE < pragma(db, 'PRAGMA page_count')) return 0;
  db.exec('PRAGMA incremental_vacuum(512)');
  return before - pragma(db, 'PRAGMA freelist_count');
}

function pragma(db: DatabaseSync, sql: string): number {
  return Number(Object.values(db.prepare(sql).get() ?? {})[0] ?? 0);
}

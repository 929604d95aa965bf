import { firstRunIdAt } from '../../core/ids.ts';
import type { RunStoreParts } from './run-store.ts';

/** Runs deleted in one commit: other writes get in between. */
const DELETE_CHUNK = 50;
/** Rows looked at in one go, and in one call. */
const SCAN_CHUNK = 500;
const SCAN_ROWS_MAX = 10_000;
/** Of rows that have served, in one call. */
const SERVED_COMMITS_MAX = 50;

/**
 * Makes the store's `purge`. Whoever ended before a moment was also created before it, so the scan follows the
 * ids' order and needs no index on the end. Runs that are old and still going are passed over; where there are
 * very many of them, the next call goes on behind the place that this one reached.
 */
export function createPurge(parts: RunStoreParts): (before: number, limit: number) => Promise<number> {
  const { writer, reader, clock, idempotencyMs } = parts;
  let from = '';

  /** Ids of runs to delete; moves the place on. */
  function candidates(before: number, limit: number): string[] {
    const ids: string[] = [];
    const end = firstRunIdAt(before);
    for (let scanned = 0; scanned < SCAN_ROWS_MAX; scanned += SCAN_CHUNK) {
      const rows = reader.read((statements) => statements.oldRuns.all(from, end, SCAN_CHUNK));
      for (const [id, finishedAt] of rows as [string, number | null][]) {
        if (finishedAt !== null && finishedAt < before) ids.push(id);
        from = id;
        if (ids.length === limit) return ids;
      }
      if (rows.length < SCAN_CHUNK) {
        from = '';
        return ids;
      }
    }
    return ids;
  }

  /** One commit after the other, so that other writes get in between. */
  async function purgeServed(now: number): Promise<void> {
    for (let commits = 0; commits < SERVED_COMMITS_MAX; commits++) {
      if (!(await writer.write('purgeServed', now - idempotencyMs, now))) return;
    }
  }

  return async (before, limit) => {
    const ids = candidates(before, limit);
    let deleted = 0;
    for (let i = 0; i < ids.length; i += DELETE_CHUNK) {
      deleted += await writer.write('purgeRuns', ids.slice(i, i + DELETE_CHUNK), before);
    }
    await purgeServed(clock.now());
    if (deleted > 0) await writer.write('vacuum');
    return deleted;
  };
}

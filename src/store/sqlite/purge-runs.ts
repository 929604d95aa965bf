import { firstRunIdAt } from '../../core/ids.ts';
import type { RunStore } from '../../runs/ports.ts';
import type { RunStoreParts } from './run-store.ts';

/** Runs, and events, deleted in one commit: other writes get in between. A run with more events is one commit by itself. */
const DELETE_CHUNK = 50;
const DELETE_EVENTS_MAX = 5_000;
/** Rows looked at in one go, and in one call. */
const SCAN_CHUNK = 500;
const SCAN_ROWS_MAX = 10_000;
/** Of rows that have served, in one call. */
const SERVED_COMMITS_MAX = 50;

interface Old {
  id: string;
  /** How many events it has at most in rows of their own. */
  events: number;
}

function chunksOf(old: readonly Old[]): string[][] {
  const chunks: string[][] = [];
  let events = 0;
  for (const run of old) {
    const last = chunks.at(-1);
    events += run.events;
    if (last && last.length < DELETE_CHUNK && events <= DELETE_EVENTS_MAX) last.push(run.id);
    else {
      chunks.push([run.id]);
      events = run.events;
    }
  }
  return chunks;
}

/**
 * Makes the store's `purge`. Whoever ended before a moment was also created before it, so the scan follows the
 * ids' order and needs no index on the end. Runs that are old and still going are passed over; where there are
 * very many of them, the next call goes on behind the place that this one reached.
 */
export function createPurge(parts: RunStoreParts): RunStore['purge'] {
  const { writer, reader, clock, idempotencyMs } = parts;
  let from = '';

  /** Runs to delete; moves the place on. */
  function candidates(before: number, limit: number): Old[] {
    const old: Old[] = [];
    const end = firstRunIdAt(before);
    for (let scanned = 0; scanned < SCAN_ROWS_MAX; scanned += SCAN_CHUNK) {
      const rows = reader.read((statements) => statements.oldRuns.all(from, end, SCAN_CHUNK));
      for (const [id, finishedAt, seq] of rows as [string, number | null, number][]) {
        if (finishedAt !== null && finishedAt < before) old.push({ id, events: seq });
        from = id;
        if (old.length === limit) return old;
      }
      if (rows.length < SCAN_CHUNK) {
        from = '';
        return old;
      }
    }
    return old;
  }

  /** One commit after the other, so that other writes get in between. */
  async function purgeServed(now: number): Promise<void> {
    for (let commits = 0; commits < SERVED_COMMITS_MAX; commits++) {
      if (!(await writer.write('purgeServed', now - idempotencyMs, now))) return;
    }
  }

  return async (before, limit, signal) => {
    let deleted = 0;
    for (const ids of chunksOf(candidates(before, limit))) {
      if (signal?.aborted) return deleted;
      deleted += await writer.write('purgeRuns', ids, before);
    }
    await purgeServed(clock.now());
    if (deleted > 0) await writer.write('vacuum');
    return deleted;
  };
}

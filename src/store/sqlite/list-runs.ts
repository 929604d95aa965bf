import type { RunId } from '../../core/ids.ts';
import type { Run } from '../../runs/model.ts';
import type { Page, RunFilter, RunPage } from '../../runs/ports.ts';
import type { ReadStatements } from './read-statements.ts';
import { runFromRow } from './run-row.ts';

/** Rows that one page may look at: about 3 ms of the main thread. */
const SCAN_ROWS_MAX = 1_000;
/** Sorts behind every id. */
const END_OF_IDS = 'run_~';

/** One page, newest first. A filter that rejects much gives a short page and a cursor to go on from. */
export function listRuns(statements: ReadStatements, filter: RunFilter, page: Page): RunPage {
  const before = page.before ?? END_OF_IDS;
  const scan =
    filter.lineage === null
      ? statements.runsOfAll.each(before, SCAN_ROWS_MAX)
      : statements.runsOfLineage.each(filter.lineage, before, SCAN_ROWS_MAX);
  const runs: Run[] = [];
  let scanned = 0;
  let last: RunId | null = null;
  for (const row of scan) {
    // One row beyond a full page tells whether there is a next one.
    if (runs.length === page.limit) return { runs, next: last };
    scanned++;
    last = row[0] as RunId;
    if (matches(row, filter)) runs.push(runFromRow(row));
  }
  return { runs, next: scanned === SCAN_ROWS_MAX ? last : null };
}

function matches(row: readonly unknown[], filter: RunFilter): boolean {
  return (
    (filter.status === undefined || filter.status.some((status) => status === row[3])) &&
    (filter.subject === undefined || filter.subject === row[5]) &&
    (filter.provider === undefined || filter.provider === row[6]) &&
    (filter.workflow === undefined || filter.workflow === row[7])
  );
}

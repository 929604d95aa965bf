import { firstRunIdAt, type RunId } from '../../core/ids.ts';
import type { Run } from '../../runs/model.ts';
import type { Page, RunFilter, RunPage } from '../../runs/ports.ts';
import type { Row } from './operations.ts';
import type { ReadStatements } from './read-statements.ts';
import { readPinned, runFromRow } from './run-row.ts';

/** Rows that one page may look at: about 3 ms of the main thread. */
const SCAN_ROWS_MAX = 1_000;
/** Sorts before and behind every id. */
const BEGIN_OF_IDS = '';
const END_OF_IDS = 'run_~';
/** How far a run's id and its `createdAt`, taken one after the other, may be apart. */
const ID_SLACK_MS = 1_000;

/**
 * One page, newest first. Rows are looked at in the ids' order, so a page costs the same however many runs there
 * are; a filter that rejects much gives a short page and a cursor to go on from.
 */
export function listRuns(statements: ReadStatements, filter: RunFilter, page: Page): RunPage {
  const { after, before } = boundsOf(filter, page);
  const scan =
    filter.lineage === null
      ? statements.runsOfAll.each(after, before, SCAN_ROWS_MAX)
      : statements.runsOfLineage.each(filter.lineage, after, before, SCAN_ROWS_MAX);
  const matches = matcherOf(filter);
  const runs: Run[] = [];
  let scanned = 0;
  let last: RunId | null = null;
  for (const row of scan) {
    // One row beyond a full page tells whether there is a next one.
    if (runs.length === page.limit) return { runs, next: last };
    scanned++;
    last = row[0] as RunId;
    if (matches(row)) runs.push(runFromRow(row));
  }
  return { runs, next: scanned === SCAN_ROWS_MAX ? last : null };
}

/** Ids carry the time, so a span of time is a span of ids; the rows themselves decide at its edges. */
function boundsOf({ createdAfter, createdBefore }: RunFilter, page: Page): { after: string; before: string } {
  const after = createdAfter === undefined ? BEGIN_OF_IDS : firstRunIdAt(createdAfter - ID_SLACK_MS);
  const end = createdBefore === undefined ? END_OF_IDS : firstRunIdAt(createdBefore + ID_SLACK_MS);
  return { after, before: page.before !== null && page.before < end ? page.before : end };
}

type Matcher = (row: Row) => boolean;

/** Cheap columns first; the pinned part is read only where nothing else has rejected the row. */
function matcherOf(filter: RunFilter): Matcher {
  const { tag, metadata = {}, createdAfter = -Infinity, createdBefore = Infinity } = filter;
  const wanted = Object.entries(metadata);
  const bounded = createdAfter !== -Infinity || createdBefore !== Infinity;
  const texts = [...(tag === undefined ? [] : [tag]), ...wanted.flat()].map((text) => JSON.stringify(text));
  const looksInside = bounded || texts.length > 0;
  return (row) => {
    if (!matchesColumns(row, filter)) return false;
    const pinned = row[11] as string;
    if (!looksInside) return true;
    // A text that is nowhere in the row's JSON spares parsing it.
    if (!texts.every((text) => pinned.includes(text))) return false;
    const run = readPinned(pinned);
    return (
      (tag === undefined || run.tags.includes(tag)) &&
      wanted.every(([key, value]) => Object.hasOwn(run.metadata, key) && run.metadata[key] === value) &&
      run.createdAt >= createdAfter &&
      run.createdAt <= createdBefore
    );
  };
}

function matchesColumns(row: Row, filter: RunFilter): boolean {
  return (
    (filter.status === undefined || filter.status.some((status) => status === row[3])) &&
    (filter.subject === undefined || filter.subject === row[5]) &&
    (filter.provider === undefined || filter.provider === row[6]) &&
    (filter.workflow === undefined || filter.workflow === row[7])
  );
}

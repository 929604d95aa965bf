import { firstRunIdAt } from '../../core/ids.ts';
import { USAGE_SPAN_MS_MAX, type RunStore, type UsageGroup, type UsageRow } from '../../runs/ports.ts';
import type { Row } from './operations.ts';
import type { Read, ReadStatements } from './read-statements.ts';
import type { Reader } from './reader.ts';

/** Rows added up in one go, on the main thread: about 4 ms. */
const PIECE_ROWS = 1_000;
/** Groups told apart. Callers name workflows as they like, so there may be any number of them. */
const GROUPS_MAX = 1_000;

type Usage = RunStore['usage'];

/**
 * Adds runs up, piece by piece along the time-ordered ids; between two pieces the event loop takes a turn.
 * One at a time: several at once would each take their piece of every turn.
 */
export function createUsage({ reader }: { reader: Reader }): Usage {
  let last: Promise<unknown> = Promise.resolve();

  async function add({ groupBy, from, to, signal }: Parameters<Usage>[0]): Promise<UsageRow[]> {
    const sums = createSums();
    const end = firstRunIdAt(to);
    let begin: string = firstRunIdAt(from);
    while (begin < end) {
      signal?.throwIfAborted();
      const next = reader.read((statements) => {
        const pieceEnd = (statements.idOfPieceEnd.get(begin, end, PIECE_ROWS)?.[0] as string | undefined) ?? end;
        for (const row of addingUp(statements, groupBy).each(begin, pieceEnd)) sums.add(row);
        return pieceEnd;
      });
      begin = next;
      if (begin < end) await new Promise((resolve) => setImmediate(resolve));
    }
    return sums.rows();
  }

  return (options) => {
    if (options.to - options.from > USAGE_SPAN_MS_MAX) return Promise.reject(new Error('the span is too long'));
    const result = last.then(() => add(options));
    last = result.catch(() => {});
    return result;
  };
}

function addingUp(statements: ReadStatements, groupBy: UsageGroup): Read {
  switch (groupBy) {
    case 'provider':
      return statements.usageOfProviders;
    case 'workflow':
      return statements.usageOfWorkflows;
    case 'key':
      return statements.usageOfKeys;
  }
}

function createSums(): { add(row: Row): void; rows(): UsageRow[] } {
  const groups = new Map<string, UsageRow>();

  function groupOf(name: string): UsageRow {
    const group = groups.has(name) || groups.size < GROUPS_MAX ? name : '';
    const known = groups.get(group);
    if (known !== undefined) return known;
    const counts = { runs: 0, succeeded: 0, failed: 0, cancelled: 0, timed_out: 0, unfinished: 0 };
    const made: UsageRow = { group, name: null, ...counts, runSeconds: 0 };
    groups.set(group, made);
    return made;
  }

  return {
    add(row) {
      const [name, label, status, runs, ms] = row as [string, string | null, string, number, number];
      const sums = groupOf(name);
      // Later pieces hold later runs.
      if (sums.group !== '') sums.name = label;
      sums.runs += runs;
      sums[isEnd(status) ? status : 'unfinished'] += runs;
      // Whole milliseconds: a sum of fractions would end in noise.
      sums.runSeconds = Math.round(sums.runSeconds * 1000 + ms) / 1000;
    },
    rows: () => [...groups.values()].sort((one, other) => other.runs - one.runs || (one.group < other.group ? -1 : 1)),
  };
}

const ENDS = ['succeeded', 'failed', 'cancelled', 'timed_out'] as const;

function isEnd(status: string): status is (typeof ENDS)[number] {
  return (ENDS as readonly string[]).includes(status);
}

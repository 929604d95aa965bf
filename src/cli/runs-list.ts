import { Option, type Command } from 'commander';
import { parseRunId, type RunId } from '../core/ids.ts';
import { RUN_STATUSES, type RunStatus } from '../runs/model.ts';
import type { RunFilter } from '../runs/ports.ts';
import { answering, dataCommand, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { runDocument } from './run-document.ts';
import { formatTime, table } from './table.ts';

const LIMIT_DEFAULT = '20';
const LIMIT_MAX = 100;

interface Options extends CommonOptions {
  status: RunStatus[];
  provider?: string;
  workflow?: string;
  limit: string;
  cursor?: string;
}

/** `rungate runs list`: everyone's runs, newest first, a page at a time. */
export function runsListCommand(context: CommandContext): Command {
  const command = dataCommand('list', "everyone's runs, newest first")
    .addOption(new Option('--status <status...>', 'only in these states').choices(RUN_STATUSES).default([], 'all'))
    .option('--provider <name>', 'only of this provider')
    .option('--workflow <name>', 'only of this workflow, as the caller named it')
    .option('--limit <n>', `how many, 1 to ${LIMIT_MAX}`, LIMIT_DEFAULT)
    .option('--cursor <cursor>', 'go on where another page ended');
  return answering<Options>(command, context, (options) => {
    const page = { limit: readLimit(options.limit), before: readCursor(options.cursor) };
    return withWorkspace(context, options, async ({ store }) => {
      const { runs, next } = await store.runs.list(filterOf(options), page);
      const rows = runs.map((run) => {
        return [run.id, run.status, run.provider, run.workflow, run.keyName, formatTime(run.createdAt)];
      });
      const more = next === null ? '' : `\n\nMore: --cursor ${next}`;
      return {
        document: { data: runs.map((run) => runDocument(run)), next_cursor: next },
        text:
          rows.length === 0
            ? `No runs${next === null ? '.' : ' on this page.'}${more}`
            : table(['ID', 'STATUS', 'PROVIDER', 'WORKFLOW', 'KEY', 'CREATED'], rows) + more,
      };
    });
  });
}

function filterOf({ status, provider, workflow }: Options): RunFilter {
  return {
    lineage: null,
    ...(status.length === 0 ? {} : { status }),
    ...(provider === undefined ? {} : { provider }),
    ...(workflow === undefined ? {} : { workflow }),
  };
}

function readLimit(text: string): number {
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > LIMIT_MAX) throw new UsageError(`--limit takes a whole number from 1 to ${LIMIT_MAX}`);
  return limit;
}

function readCursor(text: string | undefined): RunId | null {
  if (text === undefined) return null;
  const id = parseRunId(text);
  if (id === null) throw new UsageError('--cursor takes the next_cursor of another page');
  return id;
}

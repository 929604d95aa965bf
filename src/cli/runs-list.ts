import { Option, type Command } from 'commander';
import type { RunId } from '../core/ids.ts';
import { PAGE_DEFAULT, PAGE_MAX } from '../http/schemas/run-limits.ts';
import { readCursor, timeParameter, writeCursor } from '../http/schemas/run-list.ts';
import { RUN_STATUSES, type RunStatus } from '../runs/model.ts';
import type { RunFilter } from '../runs/ports.ts';
import { answering, dataCommand, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { withExamples } from './examples.ts';
import { runDocument } from './run-document.ts';
import { formatTime, table } from './table.ts';

interface Options extends CommonOptions {
  status: RunStatus[];
  provider?: string;
  workflow?: string;
  tag?: string;
  subject?: string;
  metadata: Record<string, string>;
  createdAfter?: string;
  createdBefore?: string;
  limit: string;
  cursor?: string;
}

/** `rungate runs list`: everyone's runs, newest first, a page at a time. */
export function runsListCommand(context: CommandContext): Command {
  const command = dataCommand('list', "everyone's runs, newest first")
    .addOption(new Option('--status <status...>', 'only in these states').choices(RUN_STATUSES).default([], 'all'))
    .option('--provider <name>', 'only of this provider')
    .option('--workflow <name>', 'only of this workflow, as the caller named it')
    .option('--tag <tag>', 'only with this tag')
    .option('--subject <subject>', 'only of this subject')
    .option('--metadata <key=value>', 'only with this pair; repeatable', collectPair, {})
    .option('--created-after <time>', 'only from this time on: 2026-01-31T12:00:00Z')
    .option('--created-before <time>', 'only up to this time')
    .option('--limit <n>', `how many, 1 to ${PAGE_MAX}`, String(PAGE_DEFAULT))
    .option('--cursor <cursor>', 'go on where another page ended');
  withExamples(
    command,
    'runs list --status running waiting',
    'runs list --provider b3os --tag nightly --created-after 2026-01-31T00:00:00Z --json',
  );
  return answering<Options>(command, context, (options) => {
    const page = { limit: readLimit(options.limit), before: lastSeen(options.cursor) };
    const filter = filterOf(options);
    return withWorkspace(context, options, async ({ store }) => {
      const { runs, next } = await store.runs.list(filter, page);
      const rows = runs.map((run) => {
        return [run.id, run.status, run.provider, run.workflow, run.keyName, formatTime(run.createdAt)];
      });
      const cursor = next === null ? null : writeCursor(next);
      const more = cursor === null ? '' : `\n\nMore: --cursor ${cursor}`;
      return {
        document: { data: runs.map((run) => runDocument(run)), next_cursor: cursor },
        text:
          rows.length === 0
            ? `No runs${next === null ? '.' : ' on this page.'}${more}`
            : table(['ID', 'STATUS', 'PROVIDER', 'WORKFLOW', 'KEY', 'CREATED'], rows) + more,
      };
    });
  });
}

function filterOf(options: Options): RunFilter {
  const { status, provider, workflow, tag, subject, metadata } = options;
  const createdAfter = readTime('--created-after', options.createdAfter);
  const createdBefore = readTime('--created-before', options.createdBefore);
  return {
    lineage: null,
    ...(status.length === 0 ? {} : { status }),
    ...(provider === undefined ? {} : { provider }),
    ...(workflow === undefined ? {} : { workflow }),
    ...(tag === undefined ? {} : { tag }),
    ...(subject === undefined ? {} : { subject }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(createdAfter === undefined ? {} : { createdAfter }),
    ...(createdBefore === undefined ? {} : { createdBefore }),
  };
}

function collectPair(text: string, pairs: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError('--metadata takes key=value');
  return { ...pairs, [text.slice(0, at)]: text.slice(at + 1) };
}

function readTime(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = timeParameter.safeParse(text);
  if (time.success) return time.data;
  throw new UsageError(`${option} takes a time such as 2026-01-31T12:00:00Z`);
}

function readLimit(text: string): number {
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > PAGE_MAX) throw new UsageError(`--limit takes a whole number from 1 to ${PAGE_MAX}`);
  return limit;
}

function lastSeen(cursor: string | undefined): RunId | null {
  if (cursor === undefined) return null;
  const id = readCursor(cursor);
  if (id === null) throw new UsageError('--cursor takes the next_cursor of another page');
  return id;
}

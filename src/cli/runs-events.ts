import type { Command } from 'commander';
import type { Workspace } from '../app/workspace.ts';
import { pause } from '../core/clock.ts';
import type { RunId } from '../core/ids.ts';
import { hasEnded, type RunEvent, type RunWithPayloads } from '../runs/model.ts';
import { dataCommand, printAnswer, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { eventDocument } from './event-document.ts';
import { withExamples } from './examples.ts';
import { printable, printableJson } from './printable.ts';
import { readRunId, runNotFound } from './run-argument.ts';
import { formatTime, table } from './table.ts';

const PAGE = 1_000;
/** How often a followed run is looked at. */
const FOLLOW_INTERVAL_MS = 250;
/** What people see of an event's data; `--json` shows it whole. */
const DATA_LENGTH_MAX = 200;
const SEQ_WIDTH = 5;
const TYPE_WIDTH = 'run.output.delta'.length;

interface Options extends CommonOptions {
  follow?: boolean;
  after: string;
}

interface Reading {
  runs: Workspace['store']['runs'];
  id: RunId;
  after: number;
}

/** `rungate runs events`: what happened to a run, in order; with `--follow` until it ends. */
export function runsEventsCommand(context: CommandContext): Command {
  const command = dataCommand('events', 'what happened to a run, in order')
    .argument('<id>', 'run_…')
    .option('-f, --follow', 'go on as events come, until the run ends; with --json one document a line')
    .option('--after <seq>', 'only events behind this number', '0');
  withExamples(command, 'runs events run_01k9zq… --follow', "runs events run_01k9zq… --follow --json | jq '.type'");
  return command.action(async () => {
    const options = command.opts<Options>();
    const id = readRunId(command.args[0] ?? '');
    const after = readSeq(options.after);
    await withWorkspace(context, options, async ({ store }) => {
      const reading = { runs: store.runs, id, after };
      if (options.follow === true) await follow(reading, options, context);
      else printAnswer(await listEvents(reading), options, context);
    });
  });
}

async function listEvents({ runs, id, after }: Reading) {
  const run = await runs.get(id);
  if (run === null) throw runNotFound();
  const events: RunEvent[] = [];
  for (let page; page === undefined || page.length === PAGE;) {
    page = await runs.eventsAfter(id, events.at(-1)?.seq ?? after, PAGE);
    events.push(...page);
  }
  const rows = events.map((event) => [String(event.seq), formatTime(event.at), event.type, describe(run, event)]);
  return {
    document: { data: events.map((event) => eventDocument(run, event)) },
    text: rows.length === 0 ? 'No events.' : table(['SEQ', 'AT', 'TYPE', 'DATA'], rows),
  };
}

/** Prints what comes, and returns once the run has ended and its last event was printed. */
async function follow({ runs, id, after }: Reading, { json = false }: Options, context: CommandContext): Promise<void> {
  let seq = after;
  for (;;) {
    // The run before its events: what ends after this is seen the next time.
    const run = await runs.get(id);
    if (run === null) throw runNotFound();
    const events = await runs.eventsAfter(id, seq, PAGE);
    for (const event of events) {
      // An end that came since is told with the run as it is then.
      if (event.seq > run.seq) break;
      seq = event.seq;
      context.stdout.write(json ? `${printableJson(eventDocument(run, event))}\n` : `${textLine(run, event)}\n`);
    }
    if (seq < run.seq) continue;
    if (hasEnded(run)) return;
    await pause(context.clock, FOLLOW_INTERVAL_MS);
  }
}

function textLine(run: RunWithPayloads, event: RunEvent): string {
  const columns = [String(event.seq).padEnd(SEQ_WIDTH), formatTime(event.at), event.type.padEnd(TYPE_WIDTH)];
  return [...columns, printable(describe(run, event) ?? '-')].join('  ');
}

function describe(run: RunWithPayloads, { type, data }: RunEvent): string | null {
  if (type === 'run.failed' || type === 'run.timed_out') return run.error && `${run.error.code}: ${run.error.message}`;
  if (type === 'run.succeeded') return run.output?.text === undefined ? null : cut(run.output.text);
  const text = printableJson(data);
  return text === '{}' || text === 'null' ? null : cut(text);
}

function cut(text: string | null): string | null {
  if (text === null || text.length <= DATA_LENGTH_MAX) return text;
  return `${text.slice(0, DATA_LENGTH_MAX)}…`;
}

function readSeq(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError('--after takes the number of an event');
  return Number(text);
}

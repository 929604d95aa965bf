import type { Command } from 'commander';
import type { RunWithPayloads } from '../runs/model.ts';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { readRunId, runNotFound } from './run-argument.ts';
import { runDocument } from './run-document.ts';
import { printableJson } from './printable.ts';
import { details, formatTime } from './table.ts';

/** `rungate runs get`: all that is known of one run. */
export function runsGetCommand(context: CommandContext): Command {
  const command = dataCommand('get', 'all that is known of one run').argument('<id>', 'run_…');
  return answering(command, context, (options, text = '') => {
    const id = readRunId(text);
    return withWorkspace(context, options, async ({ store }) => {
      const run = await store.runs.get(id);
      if (run === null) throw runNotFound();
      return { document: runDocument(run), text: describe(run) };
    });
  });
}

function describe(run: RunWithPayloads): string {
  const summary = details([
    ['id', run.id],
    ['status', run.partial ? `${run.status} (partial)` : run.status],
    ['provider', run.provider],
    ['workflow', run.workflow],
    ['key', `${run.keyName} (${run.keyId})`],
    ['created', formatTime(run.createdAt)],
    ['started', formatTime(run.startedAt)],
    ['finished', formatTime(run.finishedAt)],
    ['deadline', formatTime(run.deadlineAt)],
    ['vendor id', run.upstream.runId],
    ['vendor status', run.upstream.status],
    ['error', run.error === null ? null : `${run.error.code}: ${run.error.message}`],
    ...(run.resolution === null ? [] : [['resolution', printableJson(run.resolution)] as const]),
  ]);
  return `${summary}\n\ninputs\n${printableJson(run.inputs, 2)}\n\noutput\n${printableJson(run.output, 2)}`;
}

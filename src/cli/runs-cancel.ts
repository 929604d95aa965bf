import type { Command } from 'commander';
import { hasEnded, type RunWithPayloads } from '../runs/model.ts';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { readRunId, unlessThereIsNone } from './run-argument.ts';
import { runDocument } from './run-document.ts';

/** `rungate runs cancel`: with or without a running server, which notices within a second. */
export function runsCancelCommand(context: CommandContext): Command {
  const command = dataCommand('cancel', 'cancel a run').argument('<id>', 'run_…');
  return answering(command, context, (options, text = '') => {
    const id = readRunId(text);
    return withWorkspace(context, options, async ({ runs }) => {
      const run = await unlessThereIsNone(runs.cancel(id));
      return { document: runDocument(run), text: describe(run) };
    });
  });
}

function describe({ id, status, upstream }: RunWithPayloads): string {
  if (!hasEnded({ status }))
    return `${id} is ${status}: the server asks the vendor to stop, or the next one does that is started.`;
  if (status !== 'cancelled') return `${id} had ended: ${status}.`;
  return upstream.stopped === false
    ? `${id} is cancelled; the vendor cannot be asked to stop and may go on.`
    : `${id} is cancelled.`;
}

import type { Command } from 'commander';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { readRunId, runNotFound } from './run-argument.ts';
import { runDocument } from './run-document.ts';
import { runText } from './run-text.ts';

/** `rungate runs get`: all that is known of one run. */
export function runsGetCommand(context: CommandContext): Command {
  const command = dataCommand('get', 'all that is known of one run').argument('<id>', 'run_…');
  return answering(command, context, (options, text = '') => {
    const id = readRunId(text);
    return withWorkspace(context, options, async ({ store }) => {
      const run = await store.runs.get(id);
      if (run === null) throw runNotFound();
      return { document: runDocument(run), text: runText(run) };
    });
  });
}

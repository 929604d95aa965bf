import { Option, type Command } from 'commander';
import { answering, dataCommand, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { withExamples } from './examples.ts';
import { readRunId, unlessThereIsNone } from './run-argument.ts';
import { runDocument } from './run-document.ts';

interface Options extends CommonOptions {
  as: 'succeeded' | 'failed';
  note: string;
  force?: boolean;
}

/** `rungate runs resolve`: records what an operator found out about a run whose outcome nobody knew. */
export function runsResolveCommand(context: CommandContext): Command {
  const command = dataCommand('resolve', 'record what you found out about a run that ended as outcome_unknown')
    .argument('<id>', 'run_…')
    .addOption(
      new Option('--as <outcome>', 'what the vendor shows').choices(['succeeded', 'failed']).makeOptionMandatory(),
    )
    .requiredOption('--note <text>', 'how you know; it is shown with the run')
    .option('--force', 'replace what was recorded before');
  withExamples(
    command,
    'runs list --status failed',
    'runs resolve run_01k9zq… --as succeeded --note "seen in the vendor\'s log as run 42"',
  );
  return answering<Options>(command, context, (options, text = '') => {
    const id = readRunId(text);
    const { as, note, force = false } = options;
    return withWorkspace(context, options, async ({ runs }) => {
      const resolved = await unlessThereIsNone(runs.resolve(id, { as, note, force }));
      return {
        document: runDocument(resolved),
        text: `${id} is resolved as ${as}. Its status stays ${resolved.status}; the resolution is shown with it.`,
      };
    });
  });
}

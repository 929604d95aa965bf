import { Option, type Command } from 'commander';
import { GatewayError } from '../core/errors.ts';
import { hasEnded, type Run } from '../runs/model.ts';
import { answering, dataCommand, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { withExamples } from './examples.ts';
import { readRunId, runNotFound } from './run-argument.ts';
import { runDocument } from './run-document.ts';
import { formatTime } from './table.ts';

const NOTE_LENGTH_MAX = 1_000;
const PRINTABLE = /^[^\p{Cc}\p{Cs}]+$/u;

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
    if (note.length > NOTE_LENGTH_MAX || !PRINTABLE.test(note)) {
      throw new UsageError(`--note takes 1 to ${NOTE_LENGTH_MAX} characters on one line`);
    }
    return withWorkspace(context, options, async ({ store }) => {
      const run = await store.runs.peek(id);
      if (run === null) throw runNotFound();
      requireUnknown(run);
      if (run.resolution !== null && !force) throw resolvedAlready(run.id);
      const at = formatTime(context.clock.now());
      if ((await store.runs.resolve(id, { as, note, at, by: 'command line' })) === null) throw runNotFound();
      const resolved = await store.runs.get(id);
      if (resolved === null) throw runNotFound();
      return {
        document: runDocument(resolved),
        text: `${id} is resolved as ${as}. Its status stays ${resolved.status}; the resolution is shown with it.`,
      };
    });
  });
}

function resolvedAlready(id: string): GatewayError {
  const message = `${id} is resolved already: see \`rungate runs get ${id}\`. To replace that, add --force.`;
  return new GatewayError('unsupported_operation', { message });
}

function requireUnknown(run: Run): void {
  if (run.error?.code === 'outcome_unknown' && hasEnded(run)) return;
  const message = `Only a run that ended as outcome_unknown can be resolved; ${run.id} is ${run.status}${
    run.error === null ? '' : ` (${run.error.code})`
  }.`;
  throw new GatewayError('unsupported_operation', { message });
}

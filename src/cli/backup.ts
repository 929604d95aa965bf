import type { Command } from 'commander';
import { counted } from '../core/counted.ts';
import { answering, dataCommand, type CommonOptions } from './answer.ts';
import type { CommandContext } from './command-context.ts';
import { withExamples } from './examples.ts';
import { printable } from './printable.ts';

interface Options extends CommonOptions {
  force?: boolean;
}

/** `rungate backup`: a consistent copy of the store, while it serves. */
export function backupCommand(context: CommandContext): Command {
  const command = dataCommand('backup', 'copy the database into a file, while it serves; the master key is not in it')
    .argument('<file>', 'a file that is not there yet')
    .option('--force', 'replace the file where it is there');
  withExamples(command, 'backup /backups/rungate-$(date +%F).db', 'restore /backups/rungate-2026-01-31.db');
  return answering<Options>(command, context, async ({ sandbox = false, force = false }, file = '') => {
    const { environment, stderr: logTo } = context;
    const made = await context.parts.backUp({ environment, sandbox, file, force, logTo });
    const { bytes, runs, schemaVersion, masterKeys } = made;
    return {
      document: { object: 'backup', file, bytes, runs, schema: schemaVersion, master_keys: masterKeys },
      text: [
        `Backed up ${counted(runs, 'run')} into ${printable(file)} (${megabytes(bytes)}).`,
        keyHint(masterKeys),
      ].join('\n'),
    };
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function keyHint(masterKeys: readonly string[]): string {
  if (masterKeys.length === 0) return 'It holds no credentials, so it needs no master key.';
  const [newest] = masterKeys;
  return masterKeys.length === 1
    ? `To restore it you need the master key ${newest}, which is not in it: keep a copy of that elsewhere.`
    : `To restore it you need the master keys ${masterKeys.join(', ')}, which are not in it: keep copies of them elsewhere.`;
}

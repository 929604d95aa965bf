import type { Command } from 'commander';
import type { Restored } from '../app/backup.ts';
import { answering, dataCommand } from './answer.ts';
import type { CommandContext } from './command-context.ts';
import { withExamples } from './examples.ts';
import { counted } from '../core/counted.ts';
import { printable } from './printable.ts';

/** `rungate restore`: a backup takes the store's place, which is kept aside. */
export function restoreCommand(context: CommandContext): Command {
  const command = dataCommand(
    'restore',
    "put a backup into the database's place; the server must be stopped, and the replaced database is kept aside",
  ).argument('<file>', 'what `backup` has made');
  withExamples(command, 'restore /backups/rungate-2026-01-31.db');
  return answering(command, context, async ({ sandbox = false }, file = '') => {
    const { environment, stderr: logTo } = context;
    const restored = await context.parts.restoreBackup({ environment, sandbox, file, logTo });
    const { database, kept, runs, doubted, masterKeys } = restored;
    return {
      document: { object: 'restore', database, replaced: kept, runs, unsure_starts: doubted, master_keys: masterKeys },
      text: describe(restored),
    };
  });
}

function describe({ database, kept, runs, doubted }: Restored): string {
  const lines = [`Restored ${counted(runs, 'run')} into ${printable(database)}.`];
  if (kept !== null) lines.push(`The database that was there is kept as ${printable(kept)}.`);
  if (doubted > 0) {
    lines.push(
      `${doubted} had not been started when the backup was made and may have been since: they are not started again.`,
      'Rungate asks their vendors where it can; the others end as outcome_unknown.',
    );
  }
  lines.push('Keys that were revoked since the backup work again: look at `rungate keys list`.');
  return lines.join('\n');
}

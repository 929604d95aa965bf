import type { Command } from 'commander';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';

/** `rungate credentials remove`: takes a secret out of the vault for good. */
export function credentialsRemoveCommand(context: CommandContext): Command {
  const command = dataCommand('remove', 'take a secret out of the vault for good').argument('<id>', 'cred_…');
  return answering(command, context, (options, id = '') => {
    return withWorkspace(context, options, async ({ credentials, actor }) => {
      await credentials.remove(id, actor);
      return { document: { id, object: 'credential', removed: true }, text: `Removed ${id}.` };
    });
  });
}

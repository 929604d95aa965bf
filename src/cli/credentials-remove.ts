import type { Command } from 'commander';
import { GatewayError } from '../core/errors.ts';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';

/** `rungate credentials remove`: takes a secret out of the vault for good. */
export function credentialsRemoveCommand(context: CommandContext): Command {
  const command = dataCommand('remove', 'take a secret out of the vault for good').argument('<id>', 'cred_…');
  return answering(command, context, (options, id = '') => {
    return withWorkspace(context, options, async ({ vault }) => {
      if (!(await vault.remove(id))) {
        const message = 'There is no such credential. List them with: rungate credentials list';
        throw new GatewayError('not_found', { message });
      }
      return { document: { id, object: 'credential', removed: true }, text: `Removed ${id}.` };
    });
  });
}

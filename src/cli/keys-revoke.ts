import type { Command } from 'commander';
import { renderKey } from '../access/render-key.ts';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';

/** `rungate keys revoke`: a key stops to work at once, for good. */
export function keysRevokeCommand(context: CommandContext): Command {
  const command = dataCommand('revoke', 'make a client key useless at once, for good').argument(
    '<id>',
    'the id that `keys list` shows',
  );
  return answering(command, context, (options, id = '') => {
    return withWorkspace(context, options, async ({ keys, actor }) => {
      const key = await keys.revoke(id, actor);
      return { document: renderKey(key, context.clock.now()), text: `Revoked ${key.id}. Its runs go on.` };
    });
  });
}

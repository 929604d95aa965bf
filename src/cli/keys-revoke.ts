import type { Command } from 'commander';
import { GatewayError } from '../core/errors.ts';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { keyDocument } from './key-document.ts';

/** `rungate keys revoke`: a key stops to work at once, for good. */
export function keysRevokeCommand(context: CommandContext): Command {
  const command = dataCommand('revoke', 'make a client key useless at once, for good').argument(
    '<id>',
    'the id that `keys list` shows',
  );
  return answering(command, context, (options, id = '') => {
    return withWorkspace(context, options, async ({ store }) => {
      const now = context.clock.now();
      const revoked = await store.keys.revoke(id, now);
      const key = revoked ? await store.keys.find(id) : null;
      if (key === null) {
        const message = 'There is no such key. List them with: rungate keys list';
        throw new GatewayError('not_found', { message });
      }
      return { document: keyDocument(key, now), text: `Revoked ${key.id}. Its runs go on.` };
    });
  });
}

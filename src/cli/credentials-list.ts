import type { Command } from 'commander';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { credentialDocument } from './credential-document.ts';
import { formatTime, table } from './table.ts';

/** `rungate credentials list`: what the vault holds, newest first, never a secret. */
export function credentialsListCommand(context: CommandContext): Command {
  return answering(dataCommand('list', 'what the vault holds, newest first'), context, (options) => {
    return withWorkspace(context, options, async ({ vault }) => {
      const credentials = await vault.list();
      const rows = credentials.map(({ id, provider, purpose, label, createdAt }) => {
        return [id, provider, purpose, label, formatTime(createdAt)];
      });
      return {
        document: { data: credentials.map(credentialDocument) },
        text:
          rows.length === 0
            ? 'No credentials. Add one with: rungate credentials add <provider> --stdin'
            : table(['ID', 'PROVIDER', 'PURPOSE', 'LABEL', 'CREATED'], rows),
      };
    });
  });
}

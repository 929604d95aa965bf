import type { Command } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import type { CredentialState } from '../vault/credential-state.ts';
import type { CredentialManager, ListedReference } from '../vault/manage-credentials.ts';
import { renderCredential, renderReference } from '../vault/render-credential.ts';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { formatTime, table } from './table.ts';

const HEADINGS = ['ID', 'PROVIDER', 'PURPOSE', 'WEIGHT', 'STATE', 'LABEL', 'CREATED'];

/** `rungate credentials list`: what the vault holds, newest first, and what rungate.yaml refers to; never a secret. */
export function credentialsListCommand(context: CommandContext): Command {
  const summary = 'what the vault holds, newest first, and what rungate.yaml refers to, with what vendors said to it';
  return answering(dataCommand('list', summary), context, (options) => {
    return withWorkspace(context, options, async ({ credentials }) => {
      const stored = await credentials.list();
      const references = options.sandbox === true ? [] : await configuredReferences(credentials);
      const rows = [
        ...stored.map(({ id, provider, purpose, weight, state, label, createdAt }) => {
          const use = purpose === 'api' ? [String(weight), stateText(state)] : [null, null];
          return [id, provider, purpose, ...use, label, formatTime(createdAt)];
        }),
        ...(references ?? []).map(({ reference, provider, weight, state, isSet }) => {
          const shown = isSet || state.is !== 'usable' ? stateText(state) : 'not set here';
          return [reference, provider, 'api', String(weight), shown, null, null];
        }),
      ];
      const found =
        rows.length === 0 ? 'No credentials. Add one with: rungate credentials add <provider> --stdin' : null;
      const text = [found ?? table(HEADINGS, rows), ...(references === null ? [UNREADABLE] : [])].join('\n');
      return {
        document: {
          data: stored.map(({ state, ...info }) => renderCredential(info, state)),
          references: references?.map(renderReference) ?? null,
        },
        text,
      };
    });
  });
}

const UNREADABLE = 'What rungate.yaml refers to is not shown, as the file has faults: rungate check tells them.';

/** Null where the configuration has faults, which must not hide what the vault holds. */
async function configuredReferences(credentials: CredentialManager): Promise<ListedReference[] | null> {
  return credentials.references().catch((error: unknown) => {
    if (error instanceof ConfigError) return null;
    throw error;
  });
}

function stateText(state: CredentialState): string {
  switch (state.is) {
    case 'usable':
      return 'usable';
    case 'set_aside':
      return `set aside: ${state.code} since ${formatTime(state.at)}`;
    case 'resting':
      return `resting until ${formatTime(state.until)}`;
  }
}

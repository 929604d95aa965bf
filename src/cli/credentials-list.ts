import type { Command } from 'commander';
import type { Workspace } from '../app/workspace.ts';
import { ConfigError } from '../config/config-error.ts';
import type { CredentialState } from '../vault/credential-state.ts';
import { answering, dataCommand } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { credentialDocument, stateFields, stateText } from './credential-document.ts';
import { formatTime, table } from './table.ts';

const HEADINGS = ['ID', 'PROVIDER', 'PURPOSE', 'WEIGHT', 'STATE', 'LABEL', 'CREATED'];

/** A reference in the configuration. */
interface Reference {
  reference: string;
  provider: string;
  weight: number;
  state: CredentialState;
  /** In the command's own environment. */
  isSet: boolean;
}

/** `rungate credentials list`: what the vault holds, newest first, and what rungate.yaml refers to; never a secret. */
export function credentialsListCommand(context: CommandContext): Command {
  const summary = 'what the vault holds, newest first, and what rungate.yaml refers to, with what vendors said to it';
  return answering(dataCommand('list', summary), context, (options) => {
    return withWorkspace(context, options, async (workspace) => {
      const credentials = (await workspace.vault.list()).map((info) => {
        return { ...info, state: workspace.credentialStates.of(info.provider, info.id) };
      });
      const references = options.sandbox === true ? [] : await configuredReferences(workspace);
      const rows = [
        ...credentials.map(({ id, provider, purpose, weight, state, label, createdAt }) => {
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
          data: credentials.map(({ state, ...info }) => credentialDocument(info, state)),
          references: references?.map(referenceDocument) ?? null,
        },
        text,
      };
    });
  });
}

const UNREADABLE = 'What rungate.yaml refers to is not shown, as the file has faults: rungate check tells them.';

/** Null where the configuration has faults, which must not hide what the vault holds. */
async function configuredReferences({ registry, ...workspace }: Workspace): Promise<Reference[] | null> {
  const configured = await registry().catch((error: unknown) => {
    if (error instanceof ConfigError) return null;
    throw error;
  });
  if (configured === null) return null;
  return configured.providers().flatMap(({ name: provider, credentials }) => {
    return credentials.map(({ reference, weight }) => {
      const state = workspace.credentialStates.of(provider, reference);
      return { reference, provider, weight, state, isSet: workspace.isReferenceSet(reference) };
    });
  });
}

function referenceDocument({ reference, provider, weight, state, isSet }: Reference): object {
  return { id: reference, object: 'credential_reference', provider, weight, is_set: isSet, ...stateFields(state) };
}

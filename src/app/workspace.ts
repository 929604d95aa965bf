import type { KeyStore } from '../access/ports.ts';
import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { settingsFor, type Settings } from '../config/load-settings.ts';
import { readReference } from '../config/references.ts';
import { systemClock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { createIds, type RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { createSystemRandom } from '../core/random.ts';
import { createLogger } from '../observability/logger.ts';
import { PROVIDER_KINDS } from '../providers/catalog.generated.ts';
import { createRegistry, type Provider, type Registry } from '../providers/registry.ts';
import { createRunCommands } from '../runs/commands.ts';
import type { Run, RunWithPayloads } from '../runs/model.ts';
import { createMover } from '../runs/mover.ts';
import type { RunStore } from '../runs/ports.ts';
import { openStore } from '../store/open-store.ts';
import { openCredentialStates, type CredentialStates } from '../vault/credential-states.ts';
import { createVault, type Vault } from '../vault/credentials.ts';
import { masterKeysOnDemand, openMasterKeys } from '../vault/open-master-keys.ts';
import type { CredentialStore } from '../vault/ports.ts';
import { createWebhookSecrets, type WebhookSecrets } from '../vault/webhook-secrets.ts';
import { upstreamLimits } from './limits.ts';
import { verifyCredentials, type CredentialVerdict } from './verify-credentials.ts';

/**
 * What commands work on: the store, which a server may be using at the same time. What a command does
 * not need is not looked at, so that a key can be revoked while `rungate.yaml` is broken or the master
 * key is away.
 */
export interface Workspace {
  settings: Settings;
  store: { runs: RunStore; keys: KeyStore; credentials: CredentialStore };
  vault: Vault;
  /** What vendors made of credentials, as it was when the command began. */
  credentialStates: Pick<CredentialStates, 'of'>;
  webhookSecrets: WebhookSecrets;
  /** Reads the configuration. Throws `ConfigError`. */
  registry: () => Promise<Registry>;
  /** Asks the vendor whether it takes the credentials that the provider's next run may use, and keeps what it says. */
  verifyCredentials: (provider: Provider) => Promise<CredentialVerdict[]>;
  /** Whether a reference names a secret in the command's own environment, which may not be the server's. */
  isReferenceSet: (reference: string) => boolean;
  /** The run after the command, or as it is where it has ended. Throws `not_found`. */
  cancelRun: (id: RunId) => Promise<RunWithPayloads>;
  close(): Promise<void>;
}

export interface WorkspaceOptions {
  environment: Environment;
  /** Works in the sandbox's data directory. */
  sandbox: boolean;
  logTo: { write(text: string): unknown };
}

const NO_VERIFY_IN_SANDBOX =
  'The simulated vendors live in the process of `serve --sandbox`; their credentials are made with them, and good.';

export type OpenWorkspace = (options: WorkspaceOptions) => Promise<Workspace>;

/** Opens the store that the environment names, for one command. */
export async function openWorkspace({ environment, sandbox, logTo }: WorkspaceOptions): Promise<Workspace> {
  const settings = settingsFor(environment, { sandbox });
  const log = commandLog(settings, logTo);
  await using undo = new AsyncDisposableStack();
  const store = await openStore({ url: settings.databaseUrl, role: 'command', clock: systemClock, log });
  undo.defer(() => store.close());
  const random = createSystemRandom();
  const source = { ...settings.masterKey, dataDir: settings.dataDir, mayMake: true };
  const masterKeys = masterKeysOnDemand(() => openMasterKeys(source, { store: store.credentials, random, log }));
  const states = await openCredentialStates({ store: store.credentials, clock: systemClock, log }, 'command');
  const vault = createVault({
    store: store.credentials,
    states,
    masterKeys,
    ids: createIds({ clock: systemClock, random }),
    clock: systemClock,
    random,
    readReference: async (reference) => readReference(reference, environment),
  });
  const closing = undo.move();
  return {
    settings,
    store,
    vault,
    credentialStates: states,
    isReferenceSet: (reference) => readReference(reference, environment) !== null,
    webhookSecrets: createWebhookSecrets({ store: store.webhookSecrets, masterKeys, clock: systemClock, random }),
    async verifyCredentials(provider) {
      // Only the process that serves knows where its simulated vendors listen; the real ones are not to be asked.
      if (sandbox) throw new GatewayError('unsupported_operation', { message: NO_VERIFY_IN_SANDBOX });
      const limits = upstreamLimits(settings.limits);
      return verifyCredentials(provider, { vault, states, clock: systemClock, random, log, limits });
    },
    registry: async () => {
      const config = await loadConfig(settings.config, { kinds: PROVIDER_KINDS, environment: null });
      return createRegistry({ kinds: PROVIDER_KINDS, ...config });
    },
    cancelRun: (id) => cancelRun(id, store.runs, log),
    close: () => closing.disposeAsync(),
  };
}

/** A command's answer is what it prints; its log speaks up only when something is the matter. */
function commandLog({ logLevel }: Settings, destination: WorkspaceOptions['logTo']): Log {
  const write = (text: string) => void destination.write(text);
  return createLogger({ level: logLevel === 'info' ? 'warn' : logLevel, destination: { write } });
}

async function cancelRun(id: RunId, store: RunStore, log: Log): Promise<RunWithPayloads> {
  const mover = createMover({ store, clock: systemClock, log, onMoved: () => undefined });
  await createRunCommands({ store, mover, clock: systemClock, kindOf }).cancel(id);
  const run = await store.get(id);
  if (run === null) throw new GatewayError('not_found');
  return run;
}

/** Kinds come with the program, whatever the configuration says. */
function kindOf(run: Run) {
  const kind = PROVIDER_KINDS.find(({ kind: name }) => name === run.kind);
  if (kind === undefined) throw new GatewayError('internal', { cause: new Error(`no provider kind ${run.kind}`) });
  return kind;
}

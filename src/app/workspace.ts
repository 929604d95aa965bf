import { existsSync } from 'node:fs';
import { createKeyManager, type KeyManager } from '../access/manage-keys.ts';
import type { KeyStore } from '../access/ports.ts';
import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { settingsFor, type Settings } from '../config/load-settings.ts';
import type { Actor, AuditStore } from '../core/audit.ts';
import type { Audited } from '../core/audited.ts';
import { systemClock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { createIds, type RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { createSystemRandom } from '../core/random.ts';
import { PROVIDER_KINDS } from '../providers/catalog.generated.ts';
import { createRegistry, type Provider } from '../providers/registry.ts';
import { createRunCommands } from '../runs/commands.ts';
import type { Run, RunWithPayloads } from '../runs/model.ts';
import { createMover } from '../runs/mover.ts';
import type { RunStore } from '../runs/ports.ts';
import { recordResolution, type Finding } from '../runs/record-resolution.ts';
import { openStore, pathOfUrl } from '../store/open-store.ts';
import { openCredentialStates } from '../vault/credential-states.ts';
import { createVault, type Vault } from '../vault/credentials.ts';
import { createCredentialManager, type CredentialManager } from '../vault/manage-credentials.ts';
import { masterKeysOnDemand, openMasterKeys } from '../vault/open-master-keys.ts';
import type { CredentialStore } from '../vault/ports.ts';
import { createWebhookSecrets, type WebhookSecrets } from '../vault/webhook-secrets.ts';
import { commandActor, createAudited } from './audit.ts';
import { commandLog, type LogTarget } from './command-log.ts';
import { upstreamLimits } from './limits.ts';
import { masterKeySource } from './master-key-source.ts';
import { openReferences } from './open-references.ts';
import { PLAYED, sandboxConfig } from './sandbox-config.ts';
import { verifyCredentials } from './verify-credentials.ts';

/**
 * What commands work on: the store, which a server may be using at the same time. What a command does
 * not need is not looked at, so that a key can be revoked while `rungate.yaml` is broken or the master
 * key is away.
 */
export interface Workspace {
  settings: Settings;
  store: { runs: RunStore; keys: KeyStore; credentials: CredentialStore; audit: AuditStore };
  /** Whoever runs the command. */
  actor: Actor;
  audited: Audited;
  keys: KeyManager;
  credentials: CredentialManager<Provider>;
  runs: {
    /** The run after the command, or as it is where it has ended. Throws `not_found`. */
    cancel: (id: RunId) => Promise<RunWithPayloads>;
    /** The run with what an operator found out about it. */
    resolve: (id: RunId, finding: Finding) => Promise<RunWithPayloads>;
  };
  vault: Vault;
  webhookSecrets: WebhookSecrets;
  close(): Promise<void>;
}

export interface WorkspaceOptions {
  environment: Environment;
  /** Works in the sandbox's data directory. */
  sandbox: boolean;
  logTo: LogTarget;
  /** Whether a database is made where there is none: by what a new server is set up with. */
  mayMakeDatabase: boolean;
}

const NO_VERIFY_IN_SANDBOX =
  'The simulated vendors live in the process of `serve --sandbox`; their credentials are made with them, and good.';

const NOT_THE_SANDBOX = 'a database is made here; the sandbox has its own: with --sandbox, a command works there';

export type OpenWorkspace = (options: WorkspaceOptions) => Promise<Workspace>;

/** Opens the store that the environment names, for one command. */
export async function openWorkspace({
  environment,
  sandbox,
  logTo,
  mayMakeDatabase,
}: WorkspaceOptions): Promise<Workspace> {
  const settings = settingsFor(environment, { sandbox });
  const log = commandLog(settings, logTo);
  if (mayMakeDatabase && !hasDatabase(settings) && hasDatabase(settingsFor(environment, { sandbox: true }))) {
    log.warn({ database: settings.databaseUrl }, NOT_THE_SANDBOX);
  }
  await using undo = new AsyncDisposableStack();
  const absent = mayMakeDatabase ? 'make' : 'refuse';
  const store = await openStore({ url: settings.databaseUrl, role: 'command', absent, clock: systemClock, log });
  undo.defer(() => store.close());
  const random = createSystemRandom();
  const source = masterKeySource(settings, { environment, mayMake: true });
  const masterKeys = masterKeysOnDemand(() =>
    openMasterKeys(source, { store: store.credentials, clock: systemClock, random, log }),
  );
  const states = await openCredentialStates({ store: store.credentials, clock: systemClock, log }, 'command');
  const ids = createIds({ clock: systemClock, random });
  const references = openReferences({ settings, environment, clock: systemClock, random, log });
  undo.defer(() => references.close());
  const vault = createVault({
    store: store.credentials,
    states,
    masterKeys,
    ids,
    clock: systemClock,
    random,
    references,
    // Commands ask no vendor for a run.
    mayUse: () => false,
  });
  const webhookSecrets = createWebhookSecrets({ store: store.webhookSecrets, masterKeys, clock: systemClock, random });
  const registry = async () => {
    const config = await loadConfig(settings.config, { kinds: PROVIDER_KINDS, environment: null });
    return createRegistry({ kinds: PROVIDER_KINDS, ...(sandbox ? sandboxConfig(config, PLAYED).config : config) });
  };
  const actor = commandActor();
  const audited = createAudited({ store: store.audit, clock: systemClock, log });
  const closing = undo.move();
  return {
    settings,
    store,
    actor,
    audited,
    vault,
    webhookSecrets,
    keys: createKeyManager({ keys: store.keys, webhookSecrets, audited, clock: systemClock, random }),
    credentials: createCredentialManager({
      vault,
      states,
      ids,
      audited,
      providers: async () => (await registry()).providers(),
      isReferenceSet: (reference) => references.names(reference),
      async verify(provider) {
        // Only the process that serves knows where its simulated vendors listen; the real ones are not to be asked.
        if (sandbox) throw new GatewayError('unsupported_operation', { message: NO_VERIFY_IN_SANDBOX });
        const limits = upstreamLimits(settings.limits);
        const allowedLoopback = new Set<string>();
        return verifyCredentials(provider, { vault, states, clock: systemClock, random, log, limits, allowedLoopback });
      },
    }),
    runs: {
      cancel: (id) =>
        audited({ actor, action: 'run.cancel', target: { type: 'run', id }, details: {} }, () =>
          cancelRun(id, store.runs, log),
        ),
      resolve: (id, finding) =>
        recordResolution(id, finding, actor, { store: store.runs, clock: systemClock, audited }),
    },
    close: () => closing.disposeAsync(),
  };
}

function hasDatabase({ databaseUrl }: Settings): boolean {
  return existsSync(pathOfUrl(databaseUrl));
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

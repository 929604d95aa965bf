import { allowsProvider, allowsWorkflow, mayStart } from '../access/policy.ts';
import { seesEveryone } from '../core/caller.ts';
import { createKeyVerifier } from '../access/keys.ts';
import type { KeyStore } from '../access/ports.ts';
import type { Environment } from '../config/environment.ts';
import type { ListenAddress, Settings } from '../config/load-settings.ts';
import { readReference } from '../config/references.ts';
import { TEXT_SETTINGS } from '../config/settings-table.ts';
import { systemClock as clock } from '../core/clock.ts';
import { createIds, type Ids } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { createSystemRandom, type Random } from '../core/random.ts';
import type { App } from '../http/app.ts';
import { buildAdminApp } from '../http/build-admin-app.ts';
import { buildRunsApp } from '../http/build-runs-app.ts';
import type { WebhookParts } from '../http/runs-parts.ts';
import { PROVIDER_KINDS } from '../providers/catalog.generated.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Registry } from '../providers/registry.ts';
import { createRunEngine, type RunEngine } from '../runs/engine.ts';
import { openStore, type Store } from '../store/open-store.ts';
import { createUpstream } from '../upstream/create-upstream.ts';
import { createVault, type Vault } from '../vault/credentials.ts';
import { createSignatureVerifier } from '../vault/verify-signature.ts';
import { createWebhookSecrets } from '../vault/webhook-secrets.ts';
import { openMasterKeys } from '../vault/open-master-keys.ts';
import { createTargetCheck } from './check-webhook-target.ts';
import { engineLimits, httpLimits, upstreamLimits } from './limits.ts';
import { openConfig } from './open-config.ts';
import { startOwnSandbox, type OwnSandbox } from './own-sandbox.ts';
import { VERSION } from './version.ts';

/** For answers that are under way when the listeners close. */
const LAST_ANSWERS_MS = 2_000;

/** A gateway that listens. */
export interface Gateway {
  /** Origins, with the ports that were really taken. */
  runsUrl: string;
  adminUrl: string;
  sandbox: OwnSandbox | null;
  /** Reads the configuration file again, now. Faults are logged, and the last good configuration stays. */
  reload: () => Promise<void>;
  /** Drains, then lets go of everything. */
  stop(): Promise<void>;
}

export interface GatewayOptions {
  settings: Settings;
  environment: Environment;
  /** Simulated vendors instead of the real ones. */
  sandbox: boolean;
  log: Log;
  /** Every kind of the catalog, where none are given. */
  kinds?: readonly AnyProviderKind[];
}

/** The composition root: makes every part from the settings, takes over unfinished runs, and listens. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { settings, sandbox: withSandbox, log, kinds = PROVIDER_KINDS } = options;
  // What must be undone when a later step fails, or when the gateway stops; undone in reverse.
  await using undo = new AsyncDisposableStack();
  const random = createSystemRandom();
  const ids = createIds({ clock, random });

  const store = await openStore({
    url: settings.databaseUrl,
    role: 'serve',
    clock,
    log,
    limits: { queueOperationsMax: settings.limits.storeQueueMax },
  });
  undo.defer(() => store.close());
  const { vault, webhookSecrets, verifySignature } = await openVault(options, { store, ids, random });

  const sandbox = withSandbox ? await startOwnSandbox({ clock, random, vault }) : null;
  if (sandbox) undo.defer(() => sandbox.close());
  // In the sandbox the file's providers are not used, and so neither are the references that they name.
  const context = { kinds, environment: withSandbox ? null : options.environment };
  const config = await openConfig({ source: settings.config, context, sandbox, clock, log });
  undo.defer(() => config.stop());

  const upstream = createUpstream({
    clock,
    random,
    log,
    version: VERSION,
    limits: upstreamLimits(settings.limits),
    guard: { allowedLoopback: sandbox?.addresses ?? new Set() },
  });
  undo.defer(() => upstream.close());
  const engine = createRunEngine({
    store: store.runs,
    outbound: upstream,
    credentials: vault,
    registry: config.registry,
    clock,
    random,
    ids,
    log,
    limits: engineLimits(settings.limits),
    webhooks: {
      sign: webhookSecrets.sign,
      verify: verifySignature,
      allowPrivateNetwork: settings.webhookAllowPrivateNetwork,
    },
  });
  const webhooks = {
    receive: engine.inbound.receive,
    rotateSecret: webhookSecrets.rotate,
    checkTarget: createTargetCheck({ allowPrivateNetwork: settings.webhookAllowPrivateNetwork }),
  };

  const parts = { keys: store.keys, vault, registry: config.registry, engine, ids, webhooks };
  const { runsApp, adminApp } = buildApps(options, parts);
  undo.defer(() => closeApp(runsApp));
  undo.defer(() => closeApp(adminApp));

  await engine.start();
  undo.defer(() => engine.drain());
  const runsUrl = await listen(runsApp, settings.listen, TEXT_SETTINGS.port.variable);
  const adminUrl = await listen(adminApp, settings.admin, TEXT_SETTINGS.adminPort.variable);
  const stopping = undo.move();
  return { runsUrl, adminUrl, sandbox, reload: config.reload, stop: () => stopping.disposeAsync() };
}

async function openVault(
  { settings, environment, log }: GatewayOptions,
  { store, ids, random }: { store: Pick<Store, 'credentials' | 'webhookSecrets'>; ids: Ids; random: Random },
) {
  const source = { ...settings.masterKey, dataDir: settings.dataDir, mayMake: true };
  const masterKeys = await openMasterKeys(source, { store: store.credentials, random, log });
  const fromEnvironment = async (reference: string) => readReference(reference, environment);
  return {
    vault: createVault({ store: store.credentials, masterKeys, ids, clock, random, readReference: fromEnvironment }),
    webhookSecrets: createWebhookSecrets({ store: store.webhookSecrets, masterKeys, clock, random }),
    verifySignature: createSignatureVerifier({ store: store.credentials, masterKeys }),
  };
}

interface AppsParts {
  keys: KeyStore;
  vault: Vault;
  registry: () => Registry;
  engine: RunEngine;
  ids: Ids;
  webhooks: WebhookParts;
}

/** Makes what listens, without letting it. */
function buildApps(
  { settings, log }: GatewayOptions,
  { keys, vault, registry, engine, ids, webhooks }: AppsParts,
): { runsApp: App; adminApp: App } {
  const verifier = createKeyVerifier({ keys, clock });
  const shared = {
    verifyKey: (authorization: string | undefined) => verifier.verify(authorization),
    health: engine,
    ids,
    clock,
    log,
    limits: httpLimits(settings.limits),
  };
  const runsApp = buildRunsApp({
    ...shared,
    runs: engine.service,
    webhooks,
    registry,
    policy: { mayStart, seesEveryone, allowsProvider, allowsWorkflow },
    credentialPresent: (provider) => credentialPresent(vault, registry(), provider),
    version: VERSION,
  });
  return { runsApp, adminApp: buildAdminApp(shared) };
}

async function credentialPresent(vault: Vault, registry: Registry, name: string): Promise<boolean> {
  const provider = registry.provider(name);
  return provider !== null && (await vault.pick(provider)) !== null;
}

/** Answers under way get a moment; whoever has a connection open and says nothing must not hold the process up. */
async function closeApp(app: App): Promise<void> {
  const cutOff = setTimeout(() => app.server.closeAllConnections(), LAST_ANSWERS_MS);
  await app.close();
  clearTimeout(cutOff);
}

async function listen(app: App, { host, port }: ListenAddress, setting: string): Promise<string> {
  await app.listen({ host, port }).catch((cause: NodeJS.ErrnoException) => {
    const message = `cannot listen on ${host} port ${port} (${cause.code ?? cause.message}); ${setting} sets another`;
    throw new Error(message, { cause });
  });
  const address = app.server.address();
  const taken = typeof address === 'object' && address ? address.port : port;
  return `http://${host.includes(':') ? `[${host}]` : host}:${taken}`;
}

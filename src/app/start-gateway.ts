import { allowsProvider, allowsWorkflow, mayStart } from '../access/policy.ts';
import { seesEveryone } from '../core/caller.ts';
import type { Environment } from '../config/environment.ts';
import type { Settings } from '../config/load-settings.ts';
import { TEXT_SETTINGS } from '../config/settings-table.ts';
import { pause, systemClock as clock } from '../core/clock.ts';
import { createIds, type Ids } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { createSystemRandom, type Random } from '../core/random.ts';
import type { App, RequestSample } from '../http/app.ts';
import { buildAdminApp } from '../http/build-admin-app.ts';
import { buildRunsApp } from '../http/build-runs-app.ts';
import { createLoadShedder, type LoadShedder } from '../http/plugins/load-shedder.ts';
import type { WebhookParts } from '../http/runs-parts.ts';
import { memoryShare } from '../observability/memory-share.ts';
import { PROVIDER_KINDS } from '../providers/catalog.generated.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Registry } from '../providers/registry.ts';
import { createRunEngine, type RunEngine } from '../runs/engine.ts';
import { openStore, type Store } from '../store/open-store.ts';
import { createUpstream } from '../upstream/create-upstream.ts';
import { openCredentialStates } from '../vault/credential-states.ts';
import { createVault, type Vault } from '../vault/credentials.ts';
import { followStates } from '../vault/follow-states.ts';
import { createSigningKeyBox } from '../vault/signing-key-box.ts';
import { createSignatureVerifier } from '../vault/verify-signature.ts';
import { createWebhookSecrets } from '../vault/webhook-secrets.ts';
import { openMasterKeys } from '../vault/open-master-keys.ts';
import type { References } from '../vault/references/references.ts';
import { createAudited } from './audit.ts';
import { createConfigAudit } from './audit-config.ts';
import { createTargetCheck } from './check-webhook-target.ts';
import { engineLimits, httpLimits, shedLimits, upstreamLimits } from './limits.ts';
import { masterKeySource } from './master-key-source.ts';
import { closeApp, listen, warnOfReach } from './listen.ts';
import { observe, type Observation } from './observe.ts';
import { openAccess, type Access } from './open-access.ts';
import { openAdmin, type AdminServices } from './open-admin.ts';
import { openConfig } from './open-config.ts';
import { openReferences } from './open-references.ts';
import { startOwnSandbox, type OwnSandbox } from './own-sandbox.ts';
import { VERSION } from './version.ts';

/** For what nobody waits for, when the process stops. */
const LAST_WRITES_MS = 2_000;

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

  // Made below, once there is something to observe.
  let observation: Observation | null = null;
  const store = await openStore({
    url: settings.databaseUrl,
    role: 'serve',
    clock,
    log,
    limits: { queueOperationsMax: settings.limits.storeQueueMax },
    onCommitted: (sample) => observation?.metrics.storeObserver.committed(sample),
  });
  undo.defer(() => store.close());
  const references = openReferences({ settings, environment: options.environment, clock, random, log });
  undo.defer(() => references.close());
  const { vault, states, webhookSecrets, verifySignature, signingKeyBox } = await openVault(options, {
    store,
    ids,
    random,
    references,
  });
  undo.defer(() => withinMs(states.idle(), LAST_WRITES_MS));
  followStates({ states, watch: (hint, signal) => store.runs.watch(hint, signal), clock, signal: abortedBy(undo) });

  const sandbox = withSandbox ? await startOwnSandbox({ clock, random, vault }) : null;
  if (sandbox) undo.defer(() => sandbox.close());
  // In the sandbox the file's providers are not used, and so neither are the references that they name.
  const context = { kinds, environment: withSandbox ? null : options.environment };
  const audited = createAudited({ store: store.audit, clock, log });
  const audit = createConfigAudit(audited);
  const config = await openConfig({ source: settings.config, context, sandbox, audit, clock, log });
  undo.defer(() => config.stop());

  const observed = await observe({
    settings,
    registry: config.registry,
    vault,
    clock,
    log,
    gauges: () => engine.gauges(),
    storeStats: () => ({ queuedOperations: store.queuedWrites() }),
  });
  observation = observed;
  undo.defer(() => observed.stop());
  const upstream = createUpstream({
    clock,
    random,
    log,
    tracing: observed.tracing,
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
    observer: observed.observer,
    traceOf: observed.traceOf,
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

  const shedder = createLoadShedder({
    clock,
    random,
    log,
    signals: { storeQueue: () => store.queuedWrites(), memoryShare },
    limits: shedLimits(settings.limits),
    onShed: () => observed.observer.refused('overloaded'),
  });
  const access = openAccess({
    keys: store.keys,
    signingKeys: store.signingKeys,
    signingKeyBox,
    documents: upstream,
    registry: config.registry,
    clock,
    random,
    log,
  });
  undo.defer(() => withinMs(access.stop(), LAST_WRITES_MS));
  const admin = openAdmin({
    settings,
    store,
    audited,
    vault,
    states,
    webhookSecrets,
    references,
    registry: config.registry,
    runs: engine.service,
    ids,
    random,
    log,
    allowedLoopback: sandbox?.addresses ?? new Set(),
  });
  const parts = { access, admin, vault, registry: config.registry, engine, shedder, ids, webhooks, observed };
  const { runsApp, adminApp } = buildApps(options, parts);
  undo.defer(() => closeApp(runsApp));
  undo.defer(() => closeApp(adminApp));

  await engine.start();
  undo.defer(() => engine.drain());
  const runsUrl = await listen(runsApp, settings.listen, TEXT_SETTINGS.port.variable);
  const adminUrl = await listen(adminApp, settings.admin, TEXT_SETTINGS.adminPort.variable);
  warnOfReach(adminApp, log);
  const stopping = undo.move();
  return { runsUrl, adminUrl, sandbox, reload: config.reload, stop: () => stopping.disposeAsync() };
}

interface OpenVaultParts {
  store: Pick<Store, 'credentials' | 'webhookSecrets'>;
  ids: Ids;
  random: Random;
  references: References;
}

async function openVault(
  { settings, environment, log }: GatewayOptions,
  { store, ids, random, references }: OpenVaultParts,
) {
  const source = masterKeySource(settings, { environment, mayMake: true });
  const masterKeys = await openMasterKeys(source, { store: store.credentials, clock, random, log });
  const states = await openCredentialStates({ store: store.credentials, clock, log }, 'serve');
  const parts = { store: store.credentials, states, masterKeys, ids, clock, random, references };
  return {
    vault: createVault(parts),
    states,
    webhookSecrets: createWebhookSecrets({ store: store.webhookSecrets, masterKeys, clock, random }),
    verifySignature: createSignatureVerifier({ store: store.credentials, masterKeys }),
    signingKeyBox: createSigningKeyBox({ masterKeys, random }),
  };
}

interface AppsParts {
  access: Access;
  admin: AdminServices;
  vault: Vault;
  registry: () => Registry;
  engine: RunEngine;
  shedder: LoadShedder;
  ids: Ids;
  webhooks: WebhookParts;
  observed: Observation;
}

/** Makes what listens, without letting it. */
function buildApps(
  { settings, log }: GatewayOptions,
  { access, admin, vault, registry, engine, shedder, ids, webhooks, observed }: AppsParts,
): { runsApp: App; adminApp: App } {
  const shared = {
    authenticate: access.authenticate,
    health: engine,
    ids,
    clock,
    log,
    limits: httpLimits(settings.limits),
    tracing: observed.tracing,
    observeRequest: (sample: RequestSample) => observed.metrics.request(sample),
  };
  const runsApp = buildRunsApp({
    ...shared,
    openCalls: access.openCalls,
    tokens: access.tokens,
    usedBy: (caller) => engine.usedBy(caller),
    servesOrigin: access.servesOrigin,
    runs: engine.service,
    shedder,
    webhooks,
    registry,
    policy: { mayStart, seesEveryone, allowsProvider, allowsWorkflow },
    audited: admin.audited,
    credentialPresent: (provider) => credentialPresent(vault, registry(), provider),
    breakerOf: (provider) => engine.breakerOf(provider),
    version: VERSION,
  });
  return { runsApp, adminApp: buildAdminApp({ ...shared, ...admin, metrics: observed.metrics }) };
}

async function credentialPresent(vault: Vault, registry: Registry, name: string): Promise<boolean> {
  const provider = registry.provider(name);
  return provider !== null && (await vault.pool(provider)).length > 0;
}

/** A signal that is aborted when its turn to be undone comes. */
function abortedBy(undo: AsyncDisposableStack): AbortSignal {
  const controller = new AbortController();
  undo.defer(() => controller.abort());
  return controller.signal;
}

async function withinMs(work: Promise<void>, ms: number): Promise<void> {
  await Promise.race([work, pause(clock, ms)]);
}

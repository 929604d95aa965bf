import { allowsProvider, allowsWorkflow, mayStart } from '../access/policy.ts';
import { seesEveryone } from '../core/caller.ts';
import { createKeyVerifier } from '../access/keys.ts';
import type { Environment } from '../config/environment.ts';
import type { ListenAddress, Settings } from '../config/load-settings.ts';
import { readReference } from '../config/references.ts';
import { TEXT_SETTINGS } from '../config/settings-table.ts';
import { systemClock as clock } from '../core/clock.ts';
import { createIds } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { createSystemRandom } from '../core/random.ts';
import { HTTP_LIMITS_DEFAULT, type App, type Health } from '../http/app.ts';
import { buildAdminApp } from '../http/build-admin-app.ts';
import { buildRunsApp } from '../http/build-runs-app.ts';
import { PROVIDER_KINDS } from '../providers/catalog.generated.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Registry } from '../providers/registry.ts';
import { createRunEngine, type RunEngine } from '../runs/engine.ts';
import type { EngineLimits } from '../runs/limits.ts';
import { openStore } from '../store/open-store.ts';
import { createUpstream } from '../upstream/create-upstream.ts';
import { DEFAULT_UPSTREAM_LIMITS, type UpstreamLimits } from '../upstream/limits.ts';
import { createVault, type Vault } from '../vault/credentials.ts';
import { openMasterKeys } from '../vault/open-master-keys.ts';
import { openConfig } from './open-config.ts';
import { startOwnSandbox, type OwnSandbox } from './own-sandbox.ts';
import { VERSION } from './version.ts';

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
export async function startGateway({
  settings,
  environment,
  sandbox: withSandbox,
  log,
  kinds = PROVIDER_KINDS,
}: GatewayOptions): Promise<Gateway> {
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
  const masterKeys = await openMasterKeys(
    { ...settings.masterKey, dataDir: settings.dataDir, mayMake: true },
    { store: store.credentials, random, log },
  );
  const readEnvironment = async (reference: string) => readReference(reference, environment);
  const vault = createVault({
    store: store.credentials,
    masterKeys,
    ids,
    clock,
    random,
    readReference: readEnvironment,
  });

  const sandbox = withSandbox ? await startOwnSandbox({ clock, random, vault }) : null;
  if (sandbox) undo.defer(() => sandbox.close());
  const context = { kinds, environment };
  const config = await openConfig({ source: settings.config, context, sandbox, clock, log });
  undo.defer(() => config.stop());

  const upstream = createUpstream({
    clock,
    random,
    log,
    version: VERSION,
    limits: upstreamLimits(settings),
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
    limits: engineLimits(settings),
  });

  const health = healthOf(engine);
  const verifier = createKeyVerifier({ keys: store.keys, clock });
  const limits = { ...HTTP_LIMITS_DEFAULT, bodyBytesMax: settings.limits.bodyBytesMax };
  const shared = {
    verifyKey: (authorization: string | undefined) => verifier.verify(authorization),
    health,
    ids,
    clock,
    log,
    limits,
  };
  const runsApp = buildRunsApp({
    ...shared,
    runs: engine.service,
    registry: config.registry,
    policy: { mayStart, seesEveryone, allowsProvider, allowsWorkflow },
    credentialPresent: (provider) => credentialPresent(vault, config.registry(), provider),
    version: VERSION,
  });
  const adminApp = buildAdminApp(shared);
  undo.defer(() => closeApp(runsApp));
  undo.defer(() => closeApp(adminApp));

  await engine.start();
  undo.defer(() => engine.drain());
  const runsUrl = await listen(runsApp, settings.listen, TEXT_SETTINGS.port.variable);
  const adminUrl = await listen(adminApp, settings.admin, TEXT_SETTINGS.adminPort.variable);
  const stopping = undo.move();
  return { runsUrl, adminUrl, sandbox, reload: config.reload, stop: () => stopping.disposeAsync() };
}

async function credentialPresent(vault: Vault, registry: Registry, name: string): Promise<boolean> {
  const provider = registry.provider(name);
  return provider !== null && (await vault.pick(provider)) !== null;
}

function healthOf(engine: RunEngine): Health {
  return {
    draining: () => engine.unready() === 'draining',
    ready() {
      const reason = engine.unready();
      return { ok: reason === null, reasons: reason === null ? [] : [reason] };
    },
  };
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

const DAY_MS = 86_400_000;
const LAST_ANSWERS_MS = 2_000;

function engineLimits({ limits }: Settings): EngineLimits {
  return {
    startsMax: limits.startsMax,
    queuedMax: limits.queuedMax,
    pollsMax: limits.pollsMax,
    drainTimeoutMs: limits.drainTimeoutS * 1000,
    retentionMs: limits.retentionDays * DAY_MS,
  };
}

function upstreamLimits({ limits }: Settings): UpstreamLimits {
  return {
    ...DEFAULT_UPSTREAM_LIMITS,
    connectTimeoutMs: limits.connectTimeoutMs,
    connectionsPerOriginMax: limits.connectionsMax,
    answerBytesMax: limits.answerBytesMax,
  };
}

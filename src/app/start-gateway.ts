import type { Environment } from '../config/environment.ts';
import type { Settings } from '../config/load-settings.ts';
import { TEXT_SETTINGS } from '../config/text-settings.ts';
import { systemClock as clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { WriterThread } from '../store/writer-thread.ts';
import { createUpstream } from '../upstream/create-upstream.ts';
import { buildApps } from './build-apps.ts';
import { lastWrites } from './last-writes.ts';
import { upstreamLimits } from './limits.ts';
import { closeApp, listen, warnOfReach } from './listen.ts';
import { observe, type Observation } from './observe.ts';
import { openAccess } from './open-access.ts';
import { openAdmin } from './open-admin.ts';
import { openBase } from './open-base.ts';
import { openEngine } from './open-engine.ts';
import type { OwnSandbox } from './own-sandbox.ts';
import { VERSION } from './version.ts';
import { letYoungHeapGrow } from './young-heap.ts';

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
  /** For the store; none: it begins its own. */
  writerThread?: WriterThread;
  /** Ends the start, which then undoes what it has done and throws the signal's reason. Means nothing once it is ready. */
  stop?: AbortSignal;
}

/** The composition root: makes every part from the settings, takes over unfinished runs, and listens. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { settings, log } = options;
  // What must be undone when a later step fails, or when the gateway stops; undone in reverse.
  await using undo = new AsyncDisposableStack();
  // Made below, once there is something to observe.
  let observation: Observation | null = null;
  const base = await openBase(options, undo, (sample) => observation?.metrics.storeObserver.committed(sample));
  const { store, sandbox, config, random } = base;
  const { vault, signingKeyBox } = base.secrets;
  const { registry } = config;
  const allowedLoopback = sandbox?.addresses ?? new Set<string>();

  const observed = await observe({
    settings,
    registry,
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
    guard: { allowedLoopback },
  });
  undo.defer(() => upstream.close());
  const { engine, webhooks } = openEngine(options, { ...base, upstream, registry, observed });
  const access = openAccess({
    keys: store.keys,
    signingKeys: store.signingKeys,
    signingKeyBox,
    documents: upstream,
    registry,
    clock,
    random,
    log,
  });
  undo.defer(() => lastWrites(access.stop()));
  const runs = engine.service;
  const admin = openAdmin({ ...base, ...base.secrets, settings, registry, runs, log, allowedLoopback });
  const parts = { ...base, access, admin, vault, registry, engine, webhooks, observed };
  const { runsApp, adminApp } = buildApps(options, parts);
  undo.defer(() => closeApp(runsApp));
  undo.defer(() => closeApp(adminApp));

  // The program is loaded; what is taken over now may be much.
  letYoungHeapGrow();
  options.stop?.throwIfAborted();
  await engine.start();
  undo.defer(() => engine.drain());
  options.stop?.throwIfAborted();
  const runsUrl = await listen(runsApp, settings.listen, TEXT_SETTINGS.port.variable);
  const adminUrl = await listen(adminApp, settings.admin, TEXT_SETTINGS.adminPort.variable);
  warnOfReach(adminApp, log);
  options.stop?.throwIfAborted();
  const stopping = undo.move();
  return { runsUrl, adminUrl, sandbox, reload: config.reload, stop: () => stopping.disposeAsync() };
}

import { allowsProvider, allowsWorkflow, mayStart } from '../access/policy.ts';
import { seesEveryone } from '../core/caller.ts';
import { systemClock as clock } from '../core/clock.ts';
import type { Ids } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import type { App, RequestSample } from '../http/app.ts';
import { buildAdminApp } from '../http/build-admin-app.ts';
import { buildRunsApp } from '../http/build-runs-app.ts';
import { createLoadShedder } from '../http/plugins/load-shedder.ts';
import type { WebhookParts } from '../http/runs-parts.ts';
import { memoryShare } from '../observability/memory-share.ts';
import type { Registry } from '../providers/registry.ts';
import type { RunEngine } from '../runs/engine.ts';
import type { Store } from '../store/open-store.ts';
import type { Vault } from '../vault/credentials.ts';
import { httpLimits, shedLimits } from './limits.ts';
import type { Observation } from './observe.ts';
import type { Access } from './open-access.ts';
import type { AdminServices } from './open-admin.ts';
import type { GatewayOptions } from './start-gateway.ts';
import { VERSION } from './version.ts';

export interface AppsParts {
  store: Pick<Store, 'queuedWrites'>;
  access: Access;
  admin: AdminServices;
  vault: Vault;
  registry: () => Registry;
  engine: RunEngine;
  ids: Ids;
  random: Random;
  webhooks: WebhookParts;
  observed: Observation;
}

/** Makes what listens, without letting it. */
export function buildApps(
  { settings, log }: Pick<GatewayOptions, 'settings' | 'log'>,
  { store, access, admin, vault, registry, engine, ids, random, webhooks, observed }: AppsParts,
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
  const shedder = createLoadShedder({
    clock,
    random,
    log,
    signals: { storeQueue: () => store.queuedWrites(), memoryShare },
    limits: shedLimits(settings.limits),
    onShed: () => observed.observer.refused('overloaded'),
  });
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
  return {
    runsApp,
    adminApp: buildAdminApp({ ...shared, ...admin, hostNames: settings.adminHosts, metrics: observed.metrics }),
  };
}

async function credentialPresent(vault: Vault, registry: Registry, name: string): Promise<boolean> {
  const provider = registry.provider(name);
  return provider !== null && (await vault.pool(provider)).length > 0;
}

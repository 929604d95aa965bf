import { systemClock as clock } from '../core/clock.ts';
import type { Ids } from '../core/ids.ts';
import type { Outbound } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { WebhookParts } from '../http/runs-parts.ts';
import type { Registry } from '../providers/registry.ts';
import { createRunEngine, type RunEngine } from '../runs/engine.ts';
import type { Store } from '../store/open-store.ts';
import { createTargetCheck } from './check-webhook-target.ts';
import { engineLimits } from './limits.ts';
import type { Observation } from './observe.ts';
import type { openVault } from './open-vault.ts';
import type { GatewayOptions } from './start-gateway.ts';

export interface OpenEngineParts {
  store: Pick<Store, 'runs'>;
  upstream: Outbound;
  secrets: Pick<Awaited<ReturnType<typeof openVault>>, 'vault' | 'webhookSecrets' | 'verifySignature'>;
  registry: () => Registry;
  observed: Pick<Observation, 'observer' | 'traceOf'>;
  ids: Ids;
  random: Random;
}

/** Makes what runs runs, not yet started, and what its listener does about webhooks. */
export function openEngine(
  { settings, log }: Pick<GatewayOptions, 'settings' | 'log'>,
  { store, upstream, secrets, registry, observed, ids, random }: OpenEngineParts,
): { engine: RunEngine; webhooks: WebhookParts } {
  const engine = createRunEngine({
    store: store.runs,
    outbound: upstream,
    credentials: secrets.vault,
    registry,
    clock,
    random,
    ids,
    log,
    limits: engineLimits(settings.limits),
    observer: observed.observer,
    traceOf: observed.traceOf,
    webhooks: {
      sign: secrets.webhookSecrets.sign,
      verify: secrets.verifySignature,
      allowPrivateNetwork: settings.webhookAllowPrivateNetwork,
    },
  });
  const webhooks = {
    receive: engine.inbound.receive,
    checkSecretRoom: secrets.webhookSecrets.checkRoom,
    rotateSecret: secrets.webhookSecrets.rotate,
    checkTarget: createTargetCheck({ allowPrivateNetwork: settings.webhookAllowPrivateNetwork }),
  };
  return { engine, webhooks };
}

import type { Caller } from '../../src/core/caller.ts';
import { createIds } from '../../src/core/ids.ts';
import type { Outbound } from '../../src/core/outbound.ts';
import { Secret, type SealedCredential } from '../../src/core/secret.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../src/providers/registry.ts';
import { createRunEngine, type RunEngine } from '../../src/runs/engine.ts';
import type { EngineLimits } from '../../src/runs/limits.ts';
import type { RunStore } from '../../src/runs/ports.ts';
import type { StartedRun } from '../../src/runs/run-service.ts';
import { openStore, type Store } from '../../src/store/open-store.ts';
import { engineLimits } from './engine-limits.ts';
import { oneCredential, UNOBSERVED } from './quiet-engine.ts';
import { quietLog } from './simulation/quiet-log.ts';
import { seededRandom } from './simulation/seeded-random.ts';
import type { SimulatedClock } from './simulation/simulated-clock.ts';
import { workflowIdOf } from './workflow-ids.ts';

export const CALLER: Caller = {
  keyId: 'k',
  keyName: 'k',
  lineage: 'k',
  keyExpiresAt: null,
  subject: null,
  token: null,
  origins: [],
  role: 'runs',
  allowedWorkflows: [],
  allowedProviders: [],
  limits: { requestsPerMinute: null, concurrentRuns: null, runsPerDay: null },
};
const CONTEXT = { requestId: 'r', trace: null, idempotencyKey: null, listening: false };
const credential: SealedCredential = { id: 'c', origin: 'https://vendor.example', open: async () => new Secret('s') };

export interface LoneEngine {
  engine: RunEngine;
  store: Store;
  /** Asks for a run at the provider that is named as its kind. */
  begin(kind: string, timeoutS: number): Promise<StartedRun>;
}

/** A started engine over a store of its own, whose vendors are `outbound`; `through` is its way to that store. */
export async function startLoneEngine({
  clock,
  outbound,
  through = (runs) => runs,
  limits = {},
}: {
  clock: SimulatedClock;
  outbound: Pick<Outbound, 'send'>;
  through?: (runs: RunStore) => RunStore;
  limits?: Partial<EngineLimits>;
}): Promise<LoneEngine> {
  const random = seededRandom(1);
  const store = await openStore({ url: 'sqlite::memory:', clock, log: quietLog, role: 'serve', writer: 'inline' });
  const registry = createRegistry({ kinds: PROVIDER_KINDS, providers: {}, workflows: [] });
  const engine = createRunEngine({
    store: through(store.runs),
    outbound: {
      ...outbound,
      openStream: () => Promise.reject(new Error('nobody listens')),
      post: () => Promise.reject(new Error('nobody has a webhook')),
    },
    clock,
    random,
    log: quietLog,
    limits: engineLimits(limits),
    webhooks: { sign: async () => [], verify: async () => 'wrong', allowPrivateNetwork: false },
    credentials: oneCredential(credential),
    ...UNOBSERVED,
    registry: () => registry,
    ids: createIds({ clock, random }),
  });
  await engine.start();
  return {
    engine,
    store,
    begin(kind, timeoutS) {
      const request = {
        provider: kind,
        workflow: workflowIdOf(kind, 'wf'),
        inputs: {},
        options: {},
        metadata: {},
        tags: [],
        timeoutS,
        waitingTimeoutS: 60,
        onDisconnect: 'continue' as const,
        webhook: null,
      };
      return engine.service.create(CALLER, request, CONTEXT);
    },
  };
}

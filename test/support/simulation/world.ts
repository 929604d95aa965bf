import type { Caller } from '../../../src/core/caller.ts';
import { createIds, type RunId } from '../../../src/core/ids.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import { Secret, type SealedCredential } from '../../../src/core/secret.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';
import { createRunEngine, type RunEngine } from '../../../src/runs/engine.ts';
import { hasEnded, type RunWithPayloads } from '../../../src/runs/model.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { RunRequest } from '../../../src/runs/run-service.ts';
import { workflowIdOf } from '../workflow-ids.ts';
import { faultyStore } from './faulty-store.ts';
import { seededRandom, type SeededRandom } from './seeded-random.ts';
import { simulatedClock, type SimulatedClock } from './simulated-clock.ts';
import { simulatedVendors, type SimulatedVendors } from './simulated-vendor.ts';

/** A request of the schedule, and what its callers were told. */
export interface Asked {
  marker: string;
  provider: string;
  idempotent: boolean;
  /** Ids of the runs that were acknowledged to its callers; more than one would be a fault. */
  acknowledged: Set<RunId>;
  refusals: string[];
}

export interface Played {
  asked: Asked[];
  runs: RunWithPayloads[];
  vendors: SimulatedVendors;
  /** Errors that the engine logged: it never should. */
  complaints: string[];
  /** Virtual seconds that it took. */
  seconds: number;
  store: RunStore;
  now: number;
}

export const registry = createRegistry({ kinds: PROVIDER_KINDS, providers: {}, workflows: [] });
const PROVIDERS = ['ai-tutor', 'draft-and-goal', 'b3os', 'interactly'];
const CALLER: Caller = {
  keyId: 'k',
  keyName: 'simulation',
  lineage: 'k',
  subject: null,
  role: 'runs',
  allowedWorkflows: [],
  allowedProviders: [],
};
const LIMITS = { startsMax: 3, queuedMax: 100, pollsMax: 8, drainTimeoutMs: 2_000, retentionMs: 1e12 };
/** Beyond every deadline, look-up and back-off of a schedule; who has not ended by then never will. */
const VIRTUAL_MAX_MS = 600_000;

/**
 * Plays one schedule: a few requests (some twice, some cancelled) on an engine that crashes, drains and
 * comes back, over a store with slow commits and lost answers, against vendors that lie. Everything
 * follows from the seed. `open` gives the durable store for the schedule's clock.
 */
export async function play(seed: number, open: (clock: SimulatedClock) => Promise<RunStore>): Promise<Played> {
  const random = seededRandom(seed);
  const clock = simulatedClock();
  const world = {
    random,
    clock,
    inner: await open(clock),
    vendors: simulatedVendors({ clock, random }),
    complaints: [] as string[],
    faults: true,
  };
  const asked: Asked[] = Array.from({ length: 1 + random.below(4) }, (_, i) => ({
    marker: `marker-${seed * 10 + i}`,
    provider: random.pick(PROVIDERS),
    idempotent: random.chance(0.6),
    acknowledged: new Set(),
    refusals: [],
  }));
  let process = startProcess(world);
  for (const one of asked) planRequest(one, world, () => process);
  // One process at a time, as the serve lock has it: whoever starts finds the one before it dead.
  const restart = () => {
    process.kill();
    process = startProcess(world);
  };
  for (let stops = random.below(3); stops > 0; stops--) {
    clock.after(random.below(12_000), () => {
      const stopping = process;
      if (random.chance(0.3)) void stopping.engine.drain().then(() => process === stopping && restart());
      else {
        stopping.kill();
        clock.after(random.below(3_000), restart);
      }
    });
  }
  clock.after(20_000, () => {
    world.faults = false;
    world.vendors.calm();
  });
  await runUntilEnded(world, asked);
  const runs = await Promise.all(
    [...new Set(asked.flatMap(({ acknowledged }) => [...acknowledged]))].map((id) => world.inner.get(id)),
  );
  process.kill();
  return {
    asked,
    runs: runs.filter((run) => run !== null),
    vendors: world.vendors,
    complaints: world.complaints,
    seconds: clock.monotonic() / 1000,
    store: world.inner,
    now: clock.now(),
  };
}

interface World {
  random: SeededRandom;
  clock: SimulatedClock;
  inner: RunStore;
  vendors: SimulatedVendors;
  complaints: string[];
  faults: boolean;
}

interface Process {
  engine: RunEngine;
  kill(): void;
}

function startProcess(world: World): Process {
  const { clock, random, complaints } = world;
  const own = clock.fork();
  const store = faultyStore(world.inner, { clock, random, faults: () => world.faults });
  const outbound = world.vendors.outbound();
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (fields, message) =>
      void complaints.push(`${message} ${(fields['cause'] as Error | undefined)?.stack ?? ''}`),
  };
  const engine = createRunEngine({
    store,
    outbound,
    credentials: { pick: async () => credential, reopen: async () => credential },
    registry: () => registry,
    clock: own,
    random,
    ids: createIds({ clock, random }),
    log,
    limits: LIMITS,
  });
  const begin = () => void engine.start().catch(() => own.after(200, begin));
  begin();
  return {
    engine,
    kill() {
      own.kill();
      store.kill();
      outbound.kill();
    },
  };
}

const credential: SealedCredential = { id: 'c', origin: 'https://vendor.example', open: async () => new Secret('s') };

/** Sends the request at a random moment; with an idempotency key, copies of it too, as a client that retries would. */
function planRequest(asked: Asked, { random, clock }: World, process: () => Process): void {
  const request: RunRequest = {
    workflow: workflowIdOf(asked.provider, 'wf'),
    provider: asked.provider,
    inputs: { text: asked.marker },
    options: {},
    metadata: {},
    tags: [],
    timeoutS: 20 + random.below(60),
    waitingTimeoutS: 10 + random.below(60),
  };
  const context = { requestId: 'r', trace: null, idempotencyKey: asked.idempotent ? asked.marker : null };
  const ask = (retries: number) => {
    const { engine } = process();
    engine.service.create(CALLER, request, context).then(
      ({ run }) => {
        asked.acknowledged.add(run.id);
        if (random.chance(0.2)) clock.after(random.below(15_000), () => void cancel(run.id));
      },
      (error: unknown) => {
        asked.refusals.push(error instanceof GatewayError ? error.code : String(error));
        if (retries > 0) clock.after(500, () => ask(retries - 1));
      },
    );
  };
  const cancel = (id: RunId) =>
    process()
      .engine.service.cancel(CALLER, id)
      .catch(() => {});
  const at = random.below(8_000);
  const copies = asked.idempotent ? 1 + random.below(4) : 1;
  for (let i = 0; i < copies; i++)
    clock.after(at + (random.chance(0.5) ? 0 : random.below(6_000)), () => ask(asked.idempotent ? 3 : 0));
}

async function runUntilEnded(world: World, asked: readonly Asked[]): Promise<void> {
  for (let steps = 0; world.clock.monotonic() < VIRTUAL_MAX_MS; steps++) {
    if (!(await world.clock.step())) return;
    if (steps % 40 === 0 && !world.faults && (await allEnded(world.inner, asked))) return;
  }
}

async function allEnded(store: RunStore, asked: readonly Asked[]): Promise<boolean> {
  if ((await store.countUnfinished()).total > 0) return false;
  for (const { acknowledged } of asked) {
    for (const id of acknowledged) {
      const run = await store.peek(id);
      if (!run || !hasEnded(run)) return false;
    }
  }
  return true;
}

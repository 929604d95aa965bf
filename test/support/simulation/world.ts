import type { RunId } from '../../../src/core/ids.ts';
import { hasEnded, type Delivery } from '../../../src/runs/model.ts';
import type { Registry } from '../../../src/providers/registry.ts';
import type { CredentialSource, RunStore } from '../../../src/runs/ports.ts';
import { CALLER } from './caller.ts';
import { planCallers, type Callers } from './callers.ts';
import { createCredentialPool } from './credential-pool.ts';
import { checkQuiet, checkRoom } from './quiet-check.ts';
import { planHints } from './hints.ts';
import { emptyJournal, type Journal, type RunHistory } from './journal.ts';
import { startProcess, type Process, type ProcessParts } from './process.ts';
import { createReaders, type Reader } from './readers.ts';
import { planResilience, type ResiliencePlan } from './resilience-plan.ts';
import { seededRandom } from './seeded-random.ts';
import { simulatedClock, type SimulatedClock } from './simulated-clock.ts';
import { simulatedVendors, type SimulatedVendors } from './simulated-vendor.ts';
import { isStill, stateOf } from './vendor-run.ts';
import { vendorWeather } from './vendor-weather.ts';

export interface Played extends Callers {
  histories: RunHistory[];
  journal: Journal;
  vendors: SimulatedVendors;
  plan: ResiliencePlan;
  readers: readonly Reader[];
  /** What became of each run's messages. */
  deliveries: ReadonlyMap<RunId, readonly Delivery[]>;
  /** Virtual seconds that it took. */
  seconds: number;
  now: number;
  /** When vendors and the store became honest. */
  calmAt: number;
}

/** What processes are given instead of what they should have: the judge goes by what they should have. */
export interface Harm {
  registry?: (registry: Registry) => Registry;
  credentials?: (source: CredentialSource) => CredentialSource;
}

/** Beyond every deadline, look-up and back-off of a schedule; who has not ended by then never will. */
const VIRTUAL_MAX_MS = 600_000;
/** Most schedules are short; long ones have runs that are older than their last resume by much. */
const FAULTS_MS = 20_000;
const LONG_FAULTS_MS = 45_000;
/** Copies of a request, and what is asked again after a refusal, come within so long. */
const COPIES_MS = 8_000;
/** Longer than a try of a message, and than what its target may make it wait for. */
const TRY_MS = 60_000;
/** More than the steps of any message's ladder, for all of a schedule's. */
const JUMPS_MAX = 200;

interface World extends ProcessParts {
  plan: ResiliencePlan;
  isFaulty: boolean;
  processes: number;
  callersUntilMs: number;
  allReaders: readonly Reader[];
}

/**
 * Plays one schedule: a few requests (some twice, some cancelled, some resumed, paused or removed), whose callers wait,
 * read along, leave and come back, on an engine that crashes, drains and comes back, over a store with slow commits and
 * lost answers, against vendors and webhook targets that lie. Everything follows from the seed. `open` gives the durable
 * store for the schedule's clock.
 */
export async function play(
  seed: number,
  open: (clock: SimulatedClock) => Promise<RunStore>,
  harm: Harm = {},
): Promise<Played> {
  const random = seededRandom(seed);
  const clock = simulatedClock();
  const journal = emptyJournal();
  const faultsMs = random.chance(0.3) ? LONG_FAULTS_MS : FAULTS_MS;
  const callersUntilMs = faultsMs + 10_000;
  const plan = planResilience(seed, faultsMs);
  const readers = createReaders({
    clock,
    random,
    journal,
    caller: CALLER,
    serving: () => current(),
    untilMs: callersUntilMs,
  });
  const world: World = {
    random,
    clock,
    journal,
    inner: await open(clock),
    vendors: simulatedVendors({ clock, random, journal, weather: vendorWeather(plan.outages, clock) }),
    registry: harm.registry?.(plan.registry) ?? plan.registry,
    credentials: createCredentialPool({ clock, random, notes: journal.starts, weights: plan.credentials, ...harm }),
    plan,
    claims: new Map(),
    faults: () => world.isFaulty,
    isFaulty: true,
    readers: () => readers,
    allReaders: readers.all,
    processes: 0,
    callersUntilMs,
  };
  const current = planProcesses(world, faultsMs);
  const service = () => current().service;
  const asking = { seed, random, clock, journal, service, serving: current, readers, plan, untilMs: callersUntilMs };
  const callers = planCallers(asking);
  planHints({ ...world, current, untilMs: callersUntilMs });
  const calmAt = clock.now() + faultsMs;
  clock.after(faultsMs, () => {
    world.isFaulty = false;
    world.vendors.calm();
    world.credentials.mend();
  });
  const settled = await runUntilSettled(world);
  const histories = await historiesOf(world);
  const read = readers.all.map((reader) => ({ ...reader, seen: [...reader.seen] }));
  const [now, seconds] = [clock.now(), clock.monotonic() / 1000];
  if (settled) await checkQuiet(world, current());
  await playLadders(world);
  const deliveries = await deliveriesOf(world);
  const told = journal.deliveries.length;
  if (settled) await checkRoom(world, current());
  // What somebody is told from then on was not looked at.
  journal.deliveries.splice(told);
  current().kill();
  return {
    ...callers,
    histories,
    journal,
    vendors: world.vendors,
    plan,
    readers: read,
    deliveries,
    seconds,
    now,
    calmAt,
  };
}

/** The process that serves, now and after each crash or drain that is planned. */
function planProcesses(world: World, faultsMs: number): () => Process {
  const { clock, random, journal } = world;
  const start = () => startProcess(world, ++world.processes);
  let process = start();
  // One process at a time, as the serve lock has it: whoever starts finds the one before it dead.
  const restart = () => {
    process.kill();
    process = start();
  };
  const crash = (stopping: Process) => {
    stopping.kill();
    clock.after(random.below(3_000), () => process === stopping && restart());
  };
  for (let stops = random.below(3); stops > 0; stops--) {
    clock.after(random.below(faultsMs * 0.6), () => {
      const stopping = process;
      if (!stopping.alive() || journal.draining.has(stopping.number)) return;
      if (random.chance(0.5)) return crash(stopping);
      void stopping.drain().then((done) => {
        if (process !== stopping || !stopping.alive()) return;
        if (done) restart();
        else crash(stopping);
      });
    });
  }
  return () => process;
}

/** False: something never settles. */
async function runUntilSettled(world: World): Promise<boolean> {
  for (let steps = 0; world.clock.monotonic() < VIRTUAL_MAX_MS; steps++) {
    if (!(await world.clock.step())) return false;
    if (steps % 40 === 0 && !world.isFaulty && (await allSettled(world))) return true;
  }
  return false;
}

/** Every run has ended, and its readers know, or it waits for somebody who will not come. */
async function allSettled(world: World): Promise<boolean> {
  const { inner, journal, vendors, clock, callersUntilMs, allReaders, plan } = world;
  if (plan.burst && clock.monotonic() < plan.burst.at + plan.burst.spanMs + COPIES_MS) return false;
  for (const id of journal.created) {
    const run = await inner.peek(id);
    if (!run || hasEnded(run)) {
      if (allReaders.some(({ runId, state }) => runId === id && state === 'reading')) return false;
      continue;
    }
    const vendor = vendors.run(run.upstream.runId);
    const nobodyComes = clock.monotonic() > callersUntilMs + FAULTS_MS;
    const waits = run.status === 'waiting' || run.status === 'cancelling';
    const waitsForGood = nobodyComes && waits && run.deadlineAt > clock.now() + VIRTUAL_MAX_MS;
    if (!waitsForGood || !vendor || !isStill(vendor, clock.now())) return false;
    if (stateOf(vendor, clock.now()) !== 'waiting') return false;
  }
  return true;
}

/** Goes on, from one try of a message to the next, until nobody has to be told any more. */
async function playLadders(world: World): Promise<void> {
  const { clock, journal } = world;
  for (let jumps = 0; jumps < JUMPS_MAX; jumps++) {
    const pending = (await pendingOf(world)).map(({ dueAt }) => dueAt ?? clock.now());
    if (pending.length === 0) return;
    clock.skip(Math.min(...pending) - clock.now());
    const untilMs = clock.monotonic() + TRY_MS;
    const isDue = async () => (await pendingOf(world)).some(({ dueAt }) => dueAt === null || dueAt <= clock.now());
    for (let steps = 1; clock.monotonic() < untilMs; steps++) {
      await clock.step();
      if (steps % 5 === 0 && !(await isDue())) break;
    }
  }
  journal.complaints.push('a message to a webhook is pending for ever');
}

async function pendingOf(world: World): Promise<Delivery[]> {
  const all = [...(await deliveriesOf(world)).values()].flat();
  return all.filter(({ status }) => status === 'pending');
}

async function deliveriesOf({ inner, journal }: World): Promise<Map<RunId, Delivery[]>> {
  const found = new Map<RunId, Delivery[]>();
  for (const id of journal.created) {
    if (!journal.removed.has(id)) found.set(id, await inner.deliveries(id));
  }
  return found;
}

/** Every run that was written, acknowledged or not; one that is missing was lost. */
async function historiesOf({ inner, journal }: World): Promise<RunHistory[]> {
  const found = await Promise.all(
    [...journal.created].map(async (id): Promise<RunHistory | null> => {
      const removed = journal.removed.get(id);
      if (removed) return removed;
      const run = await inner.get(id);
      return run && { run, events: await inner.eventsAfter(id, 0, 1_000), removed: false };
    }),
  );
  return found.filter((history) => history !== null);
}

import { createIds, type RunId } from '../../../src/core/ids.ts';
import type { Clock } from '../../../src/core/clock.ts';
import type { Log } from '../../../src/core/log.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { Registry } from '../../../src/providers/registry.ts';
import { createRunEngine, type RunEngine } from '../../../src/runs/engine.ts';
import { UNOBSERVED } from '../quiet-engine.ts';
import { hasEnded } from '../../../src/runs/model.ts';
import type { IdempotencyClaim, RunStore } from '../../../src/runs/ports.ts';
import type { RunService } from '../../../src/runs/run-service.ts';
import { engineLimits } from '../engine-limits.ts';
import type { CredentialPool } from './credential-pool.ts';
import { faultyStore, type FaultyStore } from './faulty-store.ts';
import { journalledStore, type Journal } from './journal.ts';
import type { Readers, Serving } from './readers.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';
import type { SimulatedVendors } from './simulated-vendor.ts';

const LIMITS = engineLimits({
  startsMax: 3,
  queuedMax: 100,
  pollsMax: 8,
  pollsPerProviderMax: 2,
  deltaGroupCharacters: 30,
  readerBufferCharacters: 1_500,
  slowReaderMs: 5_000,
  drainTimeoutMs: 2_000,
  breaker: { callsMin: 3, failureShare: 0.5, windowMs: 30_000, openMs: 2_000 },
  retries: { triesMax: 2, budgetShare: 0.5, waitMs: 250, waitMsMax: 5_000 },
});
/** Requests that were under way when a drain was over get so long for their answers. */
const LAST_ANSWERS_MS = 6_000;
const STILL_MS = 1_000;

/** What all incarnations share. */
export interface ProcessParts {
  random: SeededRandom;
  clock: SimulatedClock;
  journal: Journal;
  inner: RunStore;
  vendors: SimulatedVendors;
  registry: Registry;
  credentials: CredentialPool;
  /** Every claim of a resume, by its key. */
  claims: Map<string, IdempotencyClaim>;
  faults: () => boolean;
  readers: () => Readers;
}

/** One incarnation of a serving process. */
export interface Process extends Serving {
  readonly engine: RunEngine;
  /** Until it has drained. */
  readonly isOpen: () => boolean;
  /** Dies in the middle of whatever it does. */
  kill(): void;
  /** Stops in order; false: it was killed meanwhile, or had not come up yet. */
  drain(): Promise<boolean>;
}

export function startProcess(parts: ProcessParts, number: number): Process {
  const { clock, random, journal, claims } = parts;
  const own = clock.fork();
  const durable = journalledStore(parts.inner, journal, { process: number, clock, claims });
  const untold = (id: RunId) => void journal.starts.push({ is: 'untold', at: clock.now(), process: number, id });
  const store = faultyStore(durable, { clock, random, faults: parts.faults, untold });
  const outbound = parts.vendors.outbound(number);
  const engine = createRunEngine({
    store,
    outbound,
    credentials: parts.credentials.source(number),
    ...UNOBSERVED,
    registry: () => parts.registry,
    clock: own,
    random,
    ids: createIds({ clock, random }),
    log: complainingLog(journal, { clock, process: number }),
    limits: LIMITS,
    webhooks: {
      async sign() {
        if (parts.faults() && random.chance(0.03)) throw new GatewayError('vault_unavailable');
        return ['v1,signature'];
      },
      verify: async (_, { signature }) => (signature === 'right' ? 'right' : 'wrong'),
      allowPrivateNetwork: false,
    },
  });
  let isOpen = true;
  const { service, underWay } = counted(engine.service, () => isOpen);
  let alive = true;
  let up = false;
  const begin = () =>
    void engine.start().then(
      () => (up = true),
      () => own.after(200, begin),
    );
  begin();

  const noteStop = () => {
    if (!journal.stopped.has(number)) journal.stopped.set(number, clock.now());
  };
  const kill = () => {
    alive = false;
    noteStop();
    own.kill();
    store.kill();
    outbound.kill();
    parts.readers().cut(number);
  };

  return {
    number,
    engine,
    service,
    alive: () => alive,
    isOpen: () => isOpen,
    kill,
    async drain() {
      if (!up || journal.draining.has(number)) return false;
      journal.draining.set(number, journal.entries.length);
      noteStop();
      const wasSlow = store.isSlow();
      const troubles = store.troubles();
      await engine.drain();
      if (!alive) return false;
      isOpen = false;
      const calls = outbound.calls();
      const isTroubled = () => wasSlow || store.troubles() > troubles;
      await checkGivenBack(parts, { number, store, isTroubled: isTroubled() });
      const lastAt = clock.monotonic() + LAST_ANSWERS_MS;
      while (underWay() > 0 && clock.monotonic() < lastAt)
        await new Promise<void>((resolve) => clock.after(50, resolve));
      if (underWay() === 0) await checkStill(parts, { number, store, isTroubled });
      if (outbound.calls() !== calls && !isTroubled())
        journal.complaints.push(`process ${number} has drained and called somebody`);
      return alive;
    },
  };
}

/** What the engine calls an error is one. */
function complainingLog({ complaints, starts }: Journal, { clock, process }: { clock: Clock; process: number }): Log {
  return {
    debug: () => {},
    info: () => {},
    warn({ credential, state }) {
      const isBreaker = state === 'open' || state === 'half_open' || state === 'closed';
      if (typeof credential === 'string' && isBreaker)
        starts.push({ is: 'breaker', at: clock.now(), process, credentialId: credential, state });
    },
    error({ err: cause }, message) {
      const isVault = cause instanceof GatewayError && cause.code === 'vault_unavailable';
      if (!isVault) complaints.push(`${message} ${cause instanceof Error ? cause.stack : ''}`);
    },
  };
}

/** The service as clients have it: what comes too late is not answered by it. And how many requests are under way. */
function counted(service: RunService, isOpen: () => boolean): { service: RunService; underWay: () => number } {
  let underWay = 0;
  const wrapped = new Proxy(service, {
    get(target, name: keyof RunService) {
      const method = target[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (!isOpen() && name !== 'attend') return Promise.reject(new GatewayError('shutting_down'));
        const result = method.apply(target, args);
        if (!(result instanceof Promise)) return result;
        underWay += 1;
        const done = () => void (underWay -= 1);
        result.then(done, done);
        return result;
      };
    },
  });
  return { service: wrapped, underWay: () => underWay };
}

/** After a drain, what was polled is everybody's. */
async function checkGivenBack(
  { journal, inner }: ProcessParts,
  { number, store, isTroubled }: { number: number; store: FaultyStore; isTroubled: boolean },
): Promise<void> {
  const owner = store.owner();
  if (isTroubled || owner === null) return;
  for (const id of journal.created) {
    const run = await inner.peek(id);
    if (!run || hasEnded(run) || run.owner !== owner) continue;
    const { step } = run.care;
    if (step !== 'start' && step !== 'resume')
      journal.complaints.push(
        `process ${number} has drained and still has ${id}, which is to be asked about (${step})`,
      );
  }
}

/** A while after a drain nobody reads here, and nothing is written any more. */
async function checkStill(
  { journal, clock, readers }: ProcessParts,
  { number, store, isTroubled }: { number: number; store: FaultyStore; isTroubled: () => boolean },
): Promise<void> {
  const complain = (text: string) => void journal.complaints.push(`process ${number} has drained and ${text}`);
  const before = store.writes().length;
  await new Promise<void>((resolve) => clock.after(STILL_MS, resolve));
  // A hint of a vendor's may have been under way.
  const written = store
    .writes()
    .slice(before)
    .filter((name) => name !== 'hurry');
  // Where the store took very long, the drain has given up waiting for it.
  if (written.length > 0 && !isTroubled()) complain(`did ${written.join()}`);
  const open = readers().open(number);
  if (open > 0 && !isTroubled()) complain(`${open} readers are still connected`);
}

import { GatewayError } from '../../../src/core/errors.ts';
import type { Owner, RunId } from '../../../src/core/ids.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

export interface FaultyStore extends RunStore {
  kill(): void;
  /** How often it was slow for long, failed, or lost an answer. */
  troubles(): number;
  /** Something is under way that takes very long. */
  isSlow(): boolean;
  /** Names of the writes that were asked for. */
  writes(): readonly string[];
  /** Who writes here, once they have said so. */
  owner(): Owner | null;
}

const SLOW_MS = 1_000;

/**
 * One incarnation's door to a store that outlives it: commits are slow, answers get lost with the process,
 * and now and then the store is down.
 */
export function faultyStore(
  inner: RunStore,
  {
    clock,
    random,
    faults,
    untold,
  }: {
    clock: SimulatedClock;
    random: SeededRandom;
    faults: () => boolean;
    /** This run's creation has failed, as far as its process knows. */
    untold: (id: RunId) => void;
  },
): FaultyStore {
  let alive = true;
  let troubles = 0;
  let slowUntilMs = 0;
  let known: Owner | null = null;
  const writes: string[] = [];
  const never = new Promise<never>(() => {});

  function wait(): Promise<void> {
    if (!faults() || random.chance(0.6)) return Promise.resolve();
    const ms = random.chance(0.05) ? random.below(8_000) : random.below(30);
    if (ms > SLOW_MS) {
      troubles += 1;
      slowUntilMs = Math.max(slowUntilMs, clock.monotonic() + ms);
    }
    return new Promise((resolve) => clock.after(ms, resolve));
  }

  function fail(): never {
    troubles += 1;
    throw new GatewayError('store_unavailable');
  }

  async function through<T>(operation: () => Promise<T>): Promise<T> {
    if (!alive) return never;
    await wait();
    // The process died before the store took it up; its lock is gone, so nothing of it comes later.
    if (!alive) return never;
    if (faults() && random.chance(0.02)) fail();
    const result = await operation();
    // The commit happened, and only its answer was lost.
    if (faults() && random.chance(0.01)) fail();
    await wait();
    return alive ? result : never;
  }

  function write<T>(name: string, operation: () => Promise<T>): Promise<T> {
    if (alive) writes.push(name);
    return through(operation);
  }

  return {
    async create(run, options) {
      try {
        return await write('create', () => inner.create(run, options));
      } catch (error) {
        untold(run.id);
        throw error;
      }
    },
    move: (from, change) => write('move', () => inner.move(from, change)),
    moveOnce: (from, change, claim) => write('moveOnce', () => inner.moveOnce(from, change, claim)),
    append: (id, owner, events) => write('append', () => inner.append(id, owner, events)),
    remove: (id) => write('remove', () => inner.remove(id)),
    resolve: (id, resolution) => write('resolve', () => inner.resolve(id, resolution)),
    claim: (owner, ...rest) => write('claim', () => inner.claim(owner, ...rest)),
    claimQueued: (owner, wanted) => write('claimQueued', () => inner.claimQueued(owner, wanted)),
    queuedShares: () => through(() => inner.queuedShares()),
    recentStarts: (since) => through(() => inner.recentStarts(since)),
    unfinished: () => through(() => inner.unfinished()),
    reclaim: (owner) => write('reclaim', () => inner.reclaim(owner)),
    beat(owner) {
      known = owner;
      return write('beat', () => inner.beat(owner));
    },
    lastBeatAt: () => inner.lastBeatAt(),
    release: (owner, except, before) => write('release', () => inner.release(owner, except, before)),
    purge: (before, limit, signal) => write('purge', () => inner.purge(before, limit, signal)),
    hurry: (id) => write('hurry', () => inner.hurry(id)),
    giveBackResumeKey: (id, key) => write('giveBackResumeKey', () => inner.giveBackResumeKey(id, key)),
    hasten: (byMs) => write('hasten', () => inner.hasten(byMs)),
    claimDeliveries: (owner, limit) => write('claimDeliveries', () => inner.claimDeliveries(owner, limit)),
    settleDelivery: (id, owner, result) => write('settleDelivery', () => inner.settleDelivery(id, owner, result)),
    postponeDelivery: (...delivery) => write('postponeDelivery', () => inner.postponeDelivery(...delivery)),
    redeliver: (id, deliveryId) => write('redeliver', () => inner.redeliver(id, deliveryId)),
    deliveries: (id) => inner.deliveries(id),
    findByVendorRun: (provider, vendorRunId) => inner.findByVendorRun(provider, vendorRunId),
    findByKey: (claim) => through(() => inner.findByKey(claim)),
    get: (id) => through(() => inner.get(id)),
    peek: (id) => through(() => inner.peek(id)),
    list: (filter, page) => inner.list(filter, page),
    eventsAfter: (id, seq, limit) => through(() => inner.eventsAfter(id, seq, limit)),
    countedRuns: (of) => through(() => inner.countedRuns(of)),
    usage: (options) => inner.usage(options),
    countUnfinished: () => inner.countUnfinished(),
    watch: (hint, signal) => inner.watch((id) => alive && hint(id), signal),
    kill: () => void (alive = false),
    troubles: () => troubles,
    isSlow: () => slowUntilMs > clock.monotonic(),
    writes: () => writes,
    owner: () => known,
  };
}

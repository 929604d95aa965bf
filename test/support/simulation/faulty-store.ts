import { GatewayError } from '../../../src/core/errors.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

/**
 * One incarnation's door to a store that outlives it: commits are slow, answers get lost with the process,
 * and now and then the store is down.
 */
export function faultyStore(
  inner: RunStore,
  { clock, random, faults }: { clock: SimulatedClock; random: SeededRandom; faults: () => boolean },
): RunStore & { kill(): void } {
  let alive = true;
  const never = new Promise<never>(() => {});

  function wait(): Promise<void> {
    if (!faults() || random.chance(0.6)) return Promise.resolve();
    const ms = random.chance(0.05) ? random.below(8_000) : random.below(30);
    return new Promise((resolve) => clock.after(ms, resolve));
  }

  async function through<T>(operation: () => Promise<T>): Promise<T> {
    if (!alive) return never;
    await wait();
    // The process died before the store took it up; its lock is gone, so nothing of it comes later.
    if (!alive) return never;
    if (faults() && random.chance(0.02)) throw new GatewayError('store_unavailable');
    const result = await operation();
    // The commit happened, and only its answer was lost.
    if (faults() && random.chance(0.01)) throw new GatewayError('store_unavailable');
    await wait();
    return alive ? result : never;
  }

  return {
    create: (run, options) => through(() => inner.create(run, options)),
    move: (from, change) => through(() => inner.move(from, change)),
    moveOnce: (from, change, claim) => through(() => inner.moveOnce(from, change, claim)),
    remove: (id) => through(() => inner.remove(id)),
    resolve: (id, resolution) => through(() => inner.resolve(id, resolution)),
    claim: (owner, limit, queued, except) => through(() => inner.claim(owner, limit, queued, except)),
    reclaim: (owner) => through(() => inner.reclaim(owner)),
    beat: (owner) => through(() => inner.beat(owner)),
    release: (owner, except, before) => through(() => inner.release(owner, except, before)),
    purge: (before, limit) => through(() => inner.purge(before, limit)),
    findByKey: (claim) => through(() => inner.findByKey(claim)),
    get: (id) => through(() => inner.get(id)),
    peek: (id) => through(() => inner.peek(id)),
    list: (filter, page) => inner.list(filter, page),
    eventsAfter: (id, seq, limit) => inner.eventsAfter(id, seq, limit),
    countUnfinished: () => inner.countUnfinished(),
    watch: (hint, signal) => inner.watch((id) => alive && hint(id), signal),
    kill: () => void (alive = false),
  };
}

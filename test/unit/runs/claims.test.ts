import { describe, expect, it, onTestFinished } from 'vitest';
import type { Owner, RunId } from '../../../src/core/ids.ts';
import { createClaims } from '../../../src/runs/claims.ts';
import { createFairShares } from '../../../src/runs/fair-shares.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import { createQueue } from '../../../src/runs/queue.ts';
import { createTestPlace, silentLog } from '../../contract/store/open-test-store.ts';
import { newRun } from '../../contract/store/sample-run.ts';
import { engineLimits } from '../../support/engine-limits.ts';
import { settled, simulatedClock } from '../../support/simulation/simulated-clock.ts';

/** Claims over a store of their own; a read is under way until the test ends it. */
async function setUp({ pollsMax = 10, pollsPerProviderMax = 3 } = {}) {
  const place = createTestPlace();
  const { runs } = await place.open();
  onTestFinished(() => place.remove());
  const clock = simulatedClock();
  const reads: { run: Run; end: () => void }[] = [];
  const seen = { rooms: 0 };
  const read = (run: Run) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const entry = { run, end: resolve };
    reads.push(entry);
    return promise.finally(() => reads.splice(reads.indexOf(entry), 1));
  };
  let held = Promise.resolve();
  const store: RunStore = {
    ...runs,
    async claim(...asked) {
      const taken = await runs.claim(...asked);
      await held;
      return taken;
    },
  };
  const claims = createClaims({
    store,
    carer: { attend: read, poll: (run) => read(run).then(() => null) },
    flights: { ids: () => [] as RunId[] } as never,
    others: () => [],
    places: { left: () => 0 },
    queue: createQueue({ runsMax: 10 }),
    fairShares: createFairShares(),
    roomsOf: async () => new Map(),
    limits: engineLimits({ pollsMax, pollsPerProviderMax }),
    clock,
    log: silentLog,
    owner: 'own_first' as Owner,
    onRoom: () => void seen.rooms++,
  });

  return {
    claims,
    clock,
    seen,
    readsOf: (name: string) => reads.filter(({ run }) => run.provider === name).length,
    /** Runs of a provider, the first of them due longest. */
    due: async (provider: string, count: number): Promise<Run[]> => {
      const created: Run[] = [];
      for (let i = 0; i < count; i++) {
        place.clock.advance(1);
        const run = newRun(place.nextId(), place.clock.now(), { provider, owner: null, dueInMs: 0 });
        const written = await runs.create(run, { idempotency: null, quota: null });
        if (written.kind === 'created') created.push(written.run);
      }
      return created;
    },
    claimAll: async (): Promise<void> => {
      while (await claims.claim());
    },
    endOne: async (provider: string): Promise<void> => {
      reads.find(({ run }) => run.provider === provider)?.end();
      await settled();
    },
    /** The answer to a claim comes once the returned function is called. */
    holdClaims: (): (() => void) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
  };
}

describe('the reads of one provider', () => {
  it('are never more than it may have, however many are due, and hold up no other', async () => {
    const { claims, due, claimAll, readsOf, endOne } = await setUp();
    await due('silent', 20);
    await due('quick', 2);
    await claimAll();
    expect([readsOf('silent'), readsOf('quick'), claims.reads()]).toEqual([3, 2, 5]);

    await endOne('silent');
    expect(readsOf('silent')).toBe(2);
    await claimAll();
    expect([readsOf('silent'), readsOf('quick')]).toEqual([3, 2]);
  });

  it('that end make room, where there was none', async () => {
    const { due, claimAll, endOne, seen } = await setUp();
    await due('silent', 4);
    await due('quick', 2);
    await claimAll();
    await endOne('quick');
    expect(seen.rooms).toBe(0);
    await endOne('silent');
    expect(seen.rooms).toBe(1);
  });

  it('of all together are never more than this process may have', async () => {
    const { claims, due, claimAll, endOne, seen } = await setUp({ pollsMax: 4 });
    for (const provider of ['a', 'b', 'c']) await due(provider, 2);
    await claimAll();
    expect(claims.reads()).toBe(4);
    await endOne('b');
    expect(seen.rooms).toBe(1);
    await claimAll();
    expect(claims.reads()).toBe(4);
  });

  it('wait for a claim under way, which may take the room', async () => {
    const { claims, clock, due, readsOf, holdClaims, endOne } = await setUp({ pollsPerProviderMax: 1 });
    const [followed] = await due('silent', 2);
    const answer = holdClaims();
    const claimed = claims.claim();
    await settled();
    const polled = claims.poll(followed as Run, { keep: true });
    await settled();
    expect(readsOf('silent')).toBe(0);

    answer();
    await claimed;
    await clock.step();
    expect(readsOf('silent')).toBe(1);
    await endOne('silent');
    await clock.step();
    expect(readsOf('silent')).toBe(1);
    await endOne('silent');
    expect(await polled).toBeNull();
  });
});

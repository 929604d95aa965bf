import { describe, expect, it } from 'vitest';
import type { RunStore } from '../../src/runs/ports.ts';
import { openStore } from '../../src/store/open-store.ts';
import { judge } from '../support/simulation/judge.ts';
import { quietLog } from '../support/simulation/quiet-log.ts';
import { play } from '../support/simulation/world.ts';

/** Plays schedules and returns those with faults; `harm` may break the store on purpose. */
async function failingSeeds(
  from: number,
  to: number,
  harm: (store: RunStore) => RunStore = (store) => store,
): Promise<string[]> {
  const failing: string[] = [];
  for (let seed = from; seed <= to; seed++) {
    let close = async () => {};
    const played = await play(seed, async (clock) => {
      const store = await openStore({ url: 'sqlite::memory:', clock, log: quietLog, role: 'serve', writer: 'inline' });
      close = () => store.close();
      return harm(store.runs);
    });
    const faults = await judge(played);
    await close();
    if (faults.length > 0) failing.push(`seed ${seed}: ${faults.join('; ')}`);
  }
  return failing;
}

describe('runs under crashes, slow commits, lost answers and lying vendors', () => {
  it('keep every invariant in every schedule', async () => {
    expect(await failingSeeds(1, 400)).toEqual([]);
  });

  it('would be found out if idempotency keys were forgotten', async () => {
    const forgetful = (store: RunStore): RunStore => ({
      ...store,
      findByKey: async () => null,
      create: (run) => store.create(run, { idempotency: null }),
    });
    expect(await failingSeeds(1, 40, forgetful)).not.toEqual([]);
  });

  it('would be found out if an acknowledged run were not on disk', async () => {
    let count = 0;
    const lossy = (store: RunStore): RunStore => ({
      ...store,
      create: async (run, options) => {
        count += 1;
        if (count % 5 !== 0) return store.create(run, options);
        const { inputs: _inputs, events: _events, dueInMs: _due, ...rest } = run;
        return { kind: 'created', run: { ...rest, version: 1, seq: 2, dueAt: null } };
      },
    });
    expect(await failingSeeds(1, 20, lossy)).not.toEqual([]);
  });

  it('would be found out if a move did not compare the version', async () => {
    const hasty = (store: RunStore): RunStore => ({
      ...store,
      move: async (from, change) => {
        const run = await store.peek(from.run.id);
        return run ? store.move({ run: { ...from.run, version: run.version, seq: run.seq } }, change) : 'stale';
      },
    });
    expect(await failingSeeds(1, 800, hasty)).not.toEqual([]);
  });
});

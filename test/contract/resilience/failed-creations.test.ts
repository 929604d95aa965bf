import { afterEach, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { startLoneEngine } from '../../support/lone-engine.ts';
import { simulatedClock } from '../../support/simulation/simulated-clock.ts';

/** Sooner than what nobody here knows of is given back, and later. */
const SOON_MS = 3_000;
const LATE_MS = 60_000;

let store: Store | null = null;
afterEach(() => store?.close());

/** A process whose creations fail: before they are written, or right after; and its vendor with whom nothing can begin. */
async function play(creations: number, written: boolean) {
  const clock = simulatedClock();
  let looks = 0;
  const through = (runs: RunStore): RunStore => ({
    ...runs,
    async create(...run) {
      if (written) await runs.create(...run);
      throw new GatewayError('store_unavailable');
    },
    peek(id) {
      looks += 1;
      return runs.peek(id);
    },
  });
  const lone = await startLoneEngine({ clock, outbound: { send: () => Promise.reject(new Error('no')) }, through });
  const { engine } = lone;
  ({ store } = lone);
  const { runs } = store;
  for (let i = 0; i < creations; i++) {
    await expect(lone.begin('draft-and-goal', 600)).rejects.toMatchObject({ code: 'store_unavailable' });
  }
  return {
    async after(ms: number) {
      while (clock.monotonic() < ms) await clock.step();
      const { total } = await runs.countUnfinished();
      return { looks, counted: engine.gauges().unfinished, unfinished: total };
    },
  };
}

it('counts the run of a failed creation that is there nevertheless', async () => {
  const failed = await play(1, true);
  expect(await failed.after(SOON_MS)).toEqual({ looks: 1, counted: 1, unfinished: 1 });
});

it('remembers few of the runs of creations that fail by the thousand', async () => {
  const failed = await play(2_000, false);
  expect(await failed.after(SOON_MS)).toEqual({ looks: 256, counted: 0, unfinished: 0 });
});

it('takes up those that are there nevertheless, however many they are', async () => {
  const failed = await play(400, true);
  expect(await failed.after(SOON_MS)).toMatchObject({ unfinished: 400 });
  expect(await failed.after(LATE_MS)).toMatchObject({ counted: 0, unfinished: 0 });
});

import { afterEach, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { startLoneEngine } from '../../support/lone-engine.ts';
import { simulatedClock } from '../../support/simulation/simulated-clock.ts';

let store: Store | null = null;
afterEach(() => store?.close());

it('goes on being ready however long a purge takes', async () => {
  const clock = simulatedClock();
  let purges = 0;
  const through = (runs: RunStore): RunStore => ({
    ...runs,
    purge() {
      purges += 1;
      return new Promise(() => {});
    },
  });
  const lone = await startLoneEngine({ clock, outbound: { send: () => Promise.reject(new Error('no')) }, through });
  ({ store } = lone);
  while (clock.monotonic() < 120_000) {
    await clock.step();
    expect(lone.engine.unready()).toBeNull();
  }
  expect(purges).toBe(1);
});

it('tries a purge that fails again after a while, and then goes on as usual', async () => {
  const clock = simulatedClock();
  const purgedS: number[] = [];
  const through = (runs: RunStore): RunStore => ({
    ...runs,
    async purge(...what) {
      purgedS.push(Math.floor(clock.monotonic() / 1_000));
      if (purgedS.length <= 3) throw new GatewayError('store_unavailable');
      return runs.purge(...what);
    },
  });
  const lone = await startLoneEngine({ clock, outbound: { send: () => Promise.reject(new Error('no')) }, through });
  ({ store } = lone);
  while (clock.monotonic() < 800_000) await clock.step();
  expect(purgedS).toEqual([60, 90, 120, 150, 750]);
});

import { afterAll, expect, it } from 'vitest';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { startLoneEngine } from '../../support/lone-engine.ts';
import { simulatedClock } from '../../support/simulation/simulated-clock.ts';

let store: Store | null = null;
afterAll(() => store?.close());

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

import { afterAll, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import type { OutboundAnswer } from '../../../src/core/outbound.ts';
import { hasEnded } from '../../../src/runs/model.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { startLoneEngine } from '../../support/lone-engine.ts';
import { simulatedClock } from '../../support/simulation/simulated-clock.ts';
import { success } from '../store/sample-run.ts';

/** Longer than until the next look, shorter than the vendor's run. */
const SOON_MS = 3_000;

let store: Store | null = null;
afterAll(() => store?.close());

it('counts a run that a command has ended no longer, even if the store was busy with that command', async () => {
  const clock = simulatedClock();
  let isBusy = false;
  let refusals = 0;
  let hint: (id: null) => void = () => {};
  const through = (runs: RunStore): RunStore => ({
    ...runs,
    watch(told, signal) {
      const before = hint;
      hint = (id) => (before(id), told(id));
      runs.watch(told, signal);
    },
    async unfinished() {
      if (!isBusy) return runs.unfinished();
      refusals += 1;
      throw new GatewayError('store_unavailable');
    },
  });
  const started: OutboundAnswer = {
    status: 200,
    headers: {},
    body: { kind: 'json', value: { success: true, data: { id: 'vendor-run-1' } } },
    durationMs: 1,
  };
  const lone = await startLoneEngine({ clock, outbound: { send: async () => started }, through });
  ({ store } = lone);
  const pass = async (ms: number) => {
    for (const untilMs = clock.monotonic() + ms; clock.monotonic() < untilMs;) await clock.step();
  };
  const { run } = await lone.begin('draft-and-goal', 600);
  await pass(SOON_MS);
  const now = await store.runs.peek(run.id);
  if (now === null || hasEnded(now)) throw new Error('the run goes on until somebody ends it');
  expect(lone.engine.gauges()).toMatchObject({ startsInFlight: 0, unfinished: 1 });

  await store.runs.move({ run: now }, success(now, clock.now()));
  isBusy = true;
  hint(null);
  await pass(500);
  expect(refusals).toBe(1);
  expect(lone.engine.gauges()).toMatchObject({ unfinished: 1 });
  isBusy = false;
  await pass(SOON_MS);
  expect(lone.engine.gauges()).toMatchObject({ unfinished: 0 });
});

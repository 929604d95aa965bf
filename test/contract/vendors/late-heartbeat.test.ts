import { afterEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import { OutboundError, type OutboundAnswer, type OutboundRequest } from '../../../src/core/outbound.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { hasEnded, type Run } from '../../../src/runs/model.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { startLoneEngine } from '../../support/lone-engine.ts';
import { simulatedClock } from '../../support/simulation/simulated-clock.ts';

/** Longer than a heartbeat is young. */
const OPENING_MS = 6_000;
const STEPS_MAX = 10_000;

let store: Store | null = null;
afterEach(() => store?.close());

/** A start whose credential takes long to open, while the store confirms no heartbeat; then all is well again. */
async function play(kind: string): Promise<{ run: Run; heldBack: number; left: number }> {
  const clock = simulatedClock();
  let storeIsWell = true;
  let heldBack = 0;
  let left = 0;
  const outbound = {
    async send({ mayLeave }: OutboundRequest): Promise<OutboundAnswer> {
      if (left + heldBack === 0) {
        storeIsWell = false;
        await new Promise<void>((resolve) => clock.after(OPENING_MS, resolve));
        storeIsWell = true;
      }
      if (mayLeave?.() === false) {
        heldBack += 1;
        throw new OutboundError('held_back', { sent: false });
      }
      left += 1;
      return { status: 404, headers: {}, body: { kind: 'json', value: { message: 'no' } }, durationMs: 1 };
    },
  };
  const through = (runs: RunStore): RunStore => ({
    ...runs,
    beat: async (owner) => {
      if (!storeIsWell) throw new GatewayError('store_unavailable');
      return runs.beat(owner);
    },
  });
  const lone = await startLoneEngine({ clock, outbound, through });
  store = lone.store;
  const { run } = await lone.begin(kind, 300);
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    await clock.step();
    const now = await store.runs.peek(run.id);
    if (now !== null && hasEnded(now)) return { run: now, heldBack, left };
  }
  throw new Error('the run did not end');
}

it('counts from when a heartbeat was asked for, not from when its answer came', async () => {
  const clock = simulatedClock();
  let isSlow = false;
  const through = (runs: RunStore): RunStore => ({
    ...runs,
    async beat(owner) {
      const held = await runs.beat(owner);
      if (isSlow) await new Promise<void>((resolve) => clock.after(OPENING_MS, resolve));
      return held;
    },
  });
  const lone = await startLoneEngine({ clock, outbound: { send: () => Promise.reject(new Error('no')) }, through });
  ({ store } = lone);
  isSlow = true;
  const states = new Set<string | null>();
  while (clock.monotonic() < 40_000) {
    await clock.step();
    if (clock.monotonic() > OPENING_MS) states.add(lone.engine.unready());
  }
  expect([...states]).toEqual(['store']);
});

describe.each(PROVIDER_KINDS)('a start at $kind that was held up until the heartbeat was old', ({ kind }) => {
  it('does not leave, is known not to have begun, and is sent once the heartbeat is young again', async () => {
    const { run, heldBack, left } = await play(kind);
    expect([heldBack, left]).toEqual([1, 1]);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'upstream_workflow_not_found' } });
    expect(run.attempts).toHaveLength(2);
  });
});

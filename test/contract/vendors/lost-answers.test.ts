import { afterEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import { OutboundError, type OutboundAnswer } from '../../../src/core/outbound.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { hasEnded, type Run } from '../../../src/runs/model.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { startLoneEngine } from '../../support/lone-engine.ts';
import { simulatedClock } from '../../support/simulation/simulated-clock.ts';

const STEPS_MAX = 10_000;

let store: Store | null = null;
afterEach(() => store?.close());

const refused = (status: number): OutboundAnswer => ({
  status,
  headers: {},
  body: { kind: 'json', value: { message: 'no' } },
  durationMs: 1,
});

/** How a first start leaves its run to another one. */
const FIRST_STARTS = {
  'held back': () => Promise.reject(new OutboundError('held_back', { sent: false })),
  'without a connection': () => Promise.reject(new OutboundError('connect', { sent: false })),
};

/** The second attempt is written, and nobody is told: the writer's thread has died, say. */
async function play(kind: string, first: keyof typeof FIRST_STARTS): Promise<{ run: Run; sent: number; lost: number }> {
  const clock = simulatedClock();
  let sent = 0;
  let lost = 0;
  const outbound = {
    send(): Promise<OutboundAnswer> {
      sent += 1;
      return sent === 1 ? FIRST_STARTS[first]() : Promise.resolve(refused(404));
    },
  };
  const through = (runs: RunStore): RunStore => ({
    ...runs,
    async move(from, change) {
      const moved = await runs.move(from, change);
      if (lost > 0 || change.patch.attempts?.length !== 2) return moved;
      lost += 1;
      throw new GatewayError('store_unavailable');
    },
  });
  const lone = await startLoneEngine({ clock, outbound, through, limits: { retries: RETRIES } });
  store = lone.store;
  const { run } = await lone.begin(kind, 300);
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    await clock.step();
    const now = await store.runs.peek(run.id);
    if (now !== null && hasEnded(now)) return { run: now, sent, lost };
  }
  throw new Error('the run did not end');
}

const RETRIES = { triesMax: 2, budgetShare: 1, waitMs: 1, waitMsMax: 5_000 };

describe.each(PROVIDER_KINDS)('an attempt at $kind whose opening was written and not answered', ({ kind }) => {
  it.each(['held back', 'without a connection'] as const)('is sent once, behind one that was %s', async (first) => {
    const { run, sent, lost } = await play(kind, first);
    expect([sent, lost]).toEqual([2, 1]);
    expect(run.error?.code).toBe('upstream_workflow_not_found');
    expect(run.attempts.map(({ number, state }) => [number, state])).toEqual([
      [1, 'not_begun'],
      [2, 'not_begun'],
    ]);
  });
});

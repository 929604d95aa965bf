import { afterEach, describe, expect, it } from 'vitest';
import type { OutboundAnswer } from '../../../src/core/outbound.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { kindFixtures } from '../../support/kind-fixtures.ts';
import { startLoneEngine } from '../../support/lone-engine.ts';
import { simulatedClock, type SimulatedClock } from '../../support/simulation/simulated-clock.ts';

const HOUR_MS = 3_600_000;
/** Longer than any kind waits between two polls. */
const WHILE_MS = 70_000;

let store: Store | null = null;
afterEach(() => store?.close());

async function pass(clock: SimulatedClock, ms: number): Promise<void> {
  for (const untilMs = clock.monotonic() + ms; clock.monotonic() < untilMs;) await clock.step();
}

function started(kind: string): OutboundAnswer {
  const { answers } = kindFixtures(kind);
  const answer = answers.find(
    ({ operation, outcome }) => operation === 'start' && outcome?.['is'] === 'running',
  )?.answer;
  if (!answer) throw new Error(`no answer of ${kind} leaves a run running`);
  const { status, headers, body: value } = answer;
  return { status, headers, body: { kind: 'json', value }, durationMs: 1 };
}

describe.each(PROVIDER_KINDS.filter(({ poll }) => poll !== undefined))('a run at $kind', ({ kind }) => {
  it('is polled on when the clock is set back by an hour', async () => {
    const clock = simulatedClock();
    let asked = 0;
    const vendor = {
      async send(): Promise<OutboundAnswer> {
        asked += 1;
        // The start, and then polls that never get through.
        return asked === 1 ? started(kind) : { status: 503, headers: {}, body: { kind: 'empty' }, durationMs: 1 };
      },
    };
    const lone = await startLoneEngine({ clock, outbound: vendor });
    ({ store } = lone);
    const { run } = await lone.begin(kind, 2 * 3_600);
    await pass(clock, WHILE_MS);
    const before = asked;
    expect(before).toBeGreaterThan(2);
    clock.setBack(HOUR_MS);
    await pass(clock, 2 * WHILE_MS);
    expect(asked).toBeGreaterThan(before + 1);
    expect(await store.runs.peek(run.id)).toMatchObject({ status: 'running' });
  });
});

it('is noticed too where the clock was set back between two processes', async () => {
  const clock = simulatedClock();
  const hastened: number[] = [];
  const through = (runs: RunStore): RunStore => ({
    ...runs,
    lastBeatAt: async () => clock.now() + HOUR_MS,
    hasten: async (byMs) => void hastened.push(byMs),
  });
  ({ store } = await startLoneEngine({ clock, outbound: { send: () => Promise.reject(new Error('no')) }, through }));
  await pass(clock, WHILE_MS);
  expect(hastened).toEqual([HOUR_MS]);
});

import { afterEach, describe, expect, it } from 'vitest';
import { OutboundError, type OutboundAnswer } from '../../../src/core/outbound.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { hasEnded, type Run } from '../../../src/runs/model.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { startLoneEngine } from '../../support/lone-engine.ts';
import { simulatedClock } from '../../support/simulation/simulated-clock.ts';

const PATIENCE_MS = 30_000;
const STEPS_MAX = 10_000;

interface Played {
  run: Run;
  starts: number;
  /** Milliseconds since the start broke, of each look-up. */
  lookUps: number[];
  endedAfterMs: number;
}

let store: Store | null = null;
afterEach(() => store?.close());

/** A start whose connection breaks, and look-ups that are answered 404 except where `faultAt` says otherwise. */
async function play(kind: string, faultAt: (ms: number) => number = () => 404, timeoutS = 300): Promise<Played> {
  const clock = simulatedClock();
  const played = { starts: 0, lookUps: [] as number[] };
  let brokenAt = 0;
  const outbound = {
    async send({ method }: { method: string }): Promise<OutboundAnswer> {
      if (method === 'POST') {
        played.starts += 1;
        brokenAt = clock.monotonic();
        throw new OutboundError('reset', { sent: true });
      }
      const ms = clock.monotonic() - brokenAt;
      played.lookUps.push(ms);
      return { status: faultAt(ms), headers: {}, body: { kind: 'json', value: { message: 'no' } }, durationMs: 1 };
    },
  };
  const lone = await startLoneEngine({ clock, outbound });
  store = lone.store;
  const { run } = await lone.begin(kind, timeoutS);
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    await clock.step();
    const now = await store.runs.peek(run.id);
    if (now !== null && hasEnded(now)) return { ...played, run: now, endedAfterMs: clock.monotonic() - brokenAt };
  }
  throw new Error('the run did not end');
}

describe.each(PROVIDER_KINDS.filter(({ lookup }) => lookup !== undefined))('a broken start at $kind', ({ kind }) => {
  it('is asked for by our own id until it was unknown for 30 s, and never sent again', async () => {
    const { run, starts, lookUps, endedAfterMs } = await play(kind);
    expect(run).toMatchObject({ status: 'failed', accepted: false, error: { code: 'outcome_unknown', status: 502 } });
    expect(starts).toBe(1);
    expect(lookUps.length).toBeGreaterThan(3);
    expect(endedAfterMs).toBeGreaterThanOrEqual(PATIENCE_MS);
    expect(endedAfterMs).toBeLessThan(PATIENCE_MS + 3_000);
  });

  it('is only unknown for as long as the vendor says so without a break', async () => {
    // At 20 s the vendor is out of order, so the 30 s begin anew.
    const { run, endedAfterMs } = await play(kind, (ms) => (ms > 15_000 && ms < 25_000 ? 503 : 404));
    expect(run.error?.code).toBe('outcome_unknown');
    expect(endedAfterMs).toBeGreaterThan(PATIENCE_MS + 15_000);
  });

  it('is asked for until the deadline where nobody answers', async () => {
    const { run, starts, endedAfterMs } = await play(kind, () => 503, 120);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'outcome_unknown' } });
    expect(starts).toBe(1);
    expect(endedAfterMs).toBeGreaterThanOrEqual(119_000);
    expect(endedAfterMs).toBeLessThan(123_000);
  });
});

describe.each(PROVIDER_KINDS.filter(({ lookup }) => lookup === undefined))('a broken start at $kind', ({ kind }) => {
  it('is given up at once, as nobody can be asked', async () => {
    const { run, starts, lookUps, endedAfterMs } = await play(kind);
    expect(run).toMatchObject({ status: 'failed', accepted: false, error: { code: 'outcome_unknown' } });
    expect([starts, lookUps]).toEqual([1, []]);
    expect(endedAfterMs).toBeLessThan(1_000);
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import { OutboundError, type OutboundAnswer } from '../../../src/core/outbound.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { CALLER, startLoneEngine } from '../../support/lone-engine.ts';
import { simulatedClock, type SimulatedClock } from '../../support/simulation/simulated-clock.ts';

const TIMEOUT_S = 600;
/** A process looks again, at what it is not sure of, more often than that. */
const SOON_MS = 3_000;
const LATE_MS = 2_000;

let store: Store | null = null;
afterEach(() => store?.close());

/** A vendor that never answers; `aborted` counts the calls that were given up. */
function silentVendor() {
  const vendor = {
    sent: 0,
    aborted: 0,
    send(_: unknown, signal: AbortSignal): Promise<OutboundAnswer> {
      vendor.sent += 1;
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          vendor.aborted += 1;
          reject(new OutboundError('aborted', { sent: true }));
        });
      });
    },
  };
  return vendor;
}

async function pass(clock: SimulatedClock, ms: number): Promise<void> {
  for (const untilMs = clock.monotonic() + ms; clock.monotonic() < untilMs;) await clock.step();
}

/** Those whose runs end here at once when they are cancelled before the vendor has named them. */
const unaskable = PROVIDER_KINDS.filter(({ cancel, lookup }) => cancel === undefined || lookup === undefined);

describe.each(unaskable)('a start at $kind that the vendor has not answered', ({ kind }) => {
  it('is given up where nobody was told that its run is cancelled, and the record is removed', async () => {
    const clock = simulatedClock();
    const vendor = silentVendor();
    let isLosing = false;
    const through = (runs: RunStore): RunStore => ({
      ...runs,
      async move(from, change) {
        const moved = await runs.move(from, change);
        if (isLosing) throw new GatewayError('store_unavailable');
        return moved;
      },
    });
    const lone = await startLoneEngine({ clock, outbound: vendor, through });
    ({ store } = lone);
    const { engine } = lone;
    const { run } = await lone.begin(kind, TIMEOUT_S);
    isLosing = true;
    await expect(engine.service.cancel(CALLER, run.id)).rejects.toMatchObject({ code: 'store_unavailable' });
    isLosing = false;
    await engine.service.remove(CALLER, run.id);
    expect(engine.gauges()).toMatchObject({ startsInFlight: 1, unfinished: 1 });

    await pass(clock, SOON_MS);
    expect(engine.gauges()).toMatchObject({ startsInFlight: 0, unfinished: 0 });
    expect([vendor.sent, vendor.aborted]).toEqual([1, 1]);
  });

  it('goes on where the answer, that its row is not there yet, comes after the row', async () => {
    const clock = simulatedClock();
    const late = () => new Promise<void>((resolve) => clock.after(LATE_MS, resolve));
    const vendor = silentVendor();
    const noRows: number[] = [];
    const through = (runs: RunStore): RunStore => ({
      ...runs,
      async create(run, options) {
        await late();
        return runs.create(run, options);
      },
      async peek(id) {
        const run = await runs.peek(id);
        await late();
        if (run === null) noRows.push(vendor.sent);
        return run;
      },
    });
    const lone = await startLoneEngine({ clock, outbound: vendor, through });
    ({ store } = lone);
    const begun = lone.begin(kind, TIMEOUT_S);
    await pass(clock, 2 * SOON_MS);
    await begun;
    expect(noRows).toEqual([1]);
    expect(lone.engine.gauges()).toMatchObject({ startsInFlight: 1, unfinished: 1 });
    expect([vendor.sent, vendor.aborted]).toEqual([1, 0]);
  });
});

import { describe, expect, it } from 'vitest';
import type { RunId } from '../../../src/core/ids.ts';
import { createFlights, type Flights, type OpenFlight } from '../../../src/runs/flights.ts';
import type { Run } from '../../../src/runs/model.ts';
import { quietLog } from '../../support/simulation/quiet-log.ts';

const TIMEOUT_MS = 60_000;
const HOUR_MS = 3_600_000;

function flightsAt(time: { now: number; monotonic: number }): Flights {
  return createFlights({
    mover: {
      move: () => Promise.reject(new Error('not moved here')),
      moveOnce: () => Promise.reject(new Error('not moved here')),
      settle: async () => null,
    },
    clock: { now: () => time.now, monotonic: () => time.monotonic, after: () => () => undefined },
    log: quietLog,
    stopped: new AbortController().signal,
  });
}

function setUp() {
  const time = { now: 1_764_000_000_000, monotonic: 5_000 };
  const flights = flightsAt(time);
  const run = { id: 'run_1' as RunId, deadlineAt: time.now + TIMEOUT_MS } as Run;
  let reason: unknown;
  flights.launch(run, {
    operation: 'start',
    call: ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          ({ reason } = signal);
          reject(new Error('aborted'));
        });
      }),
    land: () => null,
    fault: () => null,
  });
  return { time, flights, reason: () => reason };
}

describe('a call in flight', () => {
  it('ends at its run’s deadline', () => {
    const { time, flights, reason } = setUp();
    time.monotonic += TIMEOUT_MS - 1;
    flights.sweep();
    expect(reason()).toBe(undefined);
    time.monotonic += 1;
    flights.sweep();
    expect(reason()).toBe('deadline');
  });

  it.each([HOUR_MS, -HOUR_MS])('neither ends nor goes on for a clock that is set by %d ms', (ms) => {
    const { time, flights, reason } = setUp();
    time.now += ms;
    flights.sweep();
    expect(reason()).toBe(undefined);
    time.monotonic += TIMEOUT_MS;
    flights.sweep();
    expect(reason()).toBe('deadline');
  });
});

describe('what a caller is told of the vendor meanwhile', () => {
  it('is the time of its calls alone, also while one is under way, and the headers of the last', async () => {
    const time = { now: 1_764_000_000_000, monotonic: 5_000 };
    const flights = flightsAt(time);
    const open = Promise.withResolvers<OpenFlight>();
    const over = Promise.withResolvers<void>();
    const run = { id: 'run_1' as RunId, deadlineAt: time.now + TIMEOUT_MS } as Run;
    const flight = flights.launch(run, {
      operation: 'start',
      async call(opened) {
        open.resolve(opened);
        await over.promise;
      },
      land: () => null,
      fault: () => null,
    });
    const call = await open.promise;
    time.monotonic += 500;
    expect(flight.upstreamMs).toBe(0);
    call.asks();
    time.monotonic += 1_000;
    expect(flight.upstreamMs).toBe(1_000);
    call.heard();
    call.vendorHeaders = { 'x-ratelimit-limit': '1' };
    time.monotonic += 250;
    expect([flight.upstreamMs, flight.vendorHeaders]).toEqual([1_000, { 'x-ratelimit-limit': '1' }]);
    call.asks();
    time.monotonic += 10;
    over.resolve();
    await flights.idle();
    time.monotonic += 10;
    expect([flight.upstreamMs, flight.vendorHeaders]).toEqual([1_010, {}]);
  });
});

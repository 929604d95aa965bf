import { describe, expect, it } from 'vitest';
import type { RunId } from '../../../src/core/ids.ts';
import { createFlights } from '../../../src/runs/flights.ts';
import type { Run } from '../../../src/runs/model.ts';
import { quietLog } from '../../support/simulation/quiet-log.ts';

const TIMEOUT_MS = 60_000;
const HOUR_MS = 3_600_000;

function setUp() {
  const time = { now: 1_764_000_000_000, monotonic: 5_000 };
  const flights = createFlights({
    mover: {
      move: () => Promise.reject(new Error('not moved here')),
      moveOnce: () => Promise.reject(new Error('not moved here')),
      settle: async () => null,
    },
    clock: { now: () => time.now, monotonic: () => time.monotonic, after: () => () => undefined },
    log: quietLog,
    stopped: new AbortController().signal,
  });
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

import { describe, expect, it } from 'vitest';
import { followStates } from '../../../src/vault/follow-states.ts';

function setUp() {
  const stop = new AbortController();
  const timers = new Set<() => void>();
  const reads = { begun: 0, end: () => {} };
  let hint: (changed: string | null) => void = () => undefined;
  followStates({
    states: {
      refresh() {
        reads.begun += 1;
        const { promise, resolve } = Promise.withResolvers<void>();
        reads.end = resolve;
        return promise;
      },
    },
    watch: (listener) => void (hint = listener),
    clock: {
      after(_, fn) {
        timers.add(fn);
        return () => void timers.delete(fn);
      },
    },
    signal: stop.signal,
  });
  function begin(): void {
    const due = [...timers];
    timers.clear();
    for (const fn of due) fn();
  }
  async function end(): Promise<void> {
    reads.end();
    await new Promise(setImmediate);
  }
  return { stop, timers, reads, hint: (changed: string | null) => hint(changed), begin, end };
}

describe('states that other processes may change', () => {
  it('are read when another process wrote, not when this one did', () => {
    const { reads, hint } = setUp();
    hint('run_1');
    expect(reads.begun).toBe(0);
    hint(null);
    expect(reads.begun).toBe(1);
  });

  it('are read again and again, one time after the other, until the process stops', async () => {
    const { stop, timers, reads, begin, end } = setUp();
    for (let turns = 1; turns <= 3; turns++) {
      expect(timers.size).toBe(1);
      begin();
      expect({ reads: reads.begun, timers: timers.size }).toEqual({ reads: turns, timers: 0 });
      await end();
    }
    stop.abort();
    expect(timers.size).toBe(0);
  });

  it('are not planned again by a read that ends after the process has stopped', async () => {
    const { stop, timers, begin, end } = setUp();
    begin();
    stop.abort();
    await end();
    expect(timers.size).toBe(0);
  });
});

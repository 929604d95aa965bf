import type { Clock } from '../../../src/core/clock.ts';

interface Timer {
  at: number;
  order: number;
  fn: () => void;
}

/** Time that moves only when told: from one timer to the next, in order. */
export interface SimulatedClock extends Clock {
  /** Runs the next timer at its time, then lets everything that follows from it settle. False: none is left. */
  step(): Promise<boolean>;
  /** Time passes and nothing happens; what was to happen meanwhile is late. */
  skip(ms: number): void;
  /** The wall clock alone; durations go on as before. */
  setBack(ms: number): void;
  /** A clock whose timers die with it, for one incarnation of a process. */
  fork(): Clock & { kill(): void };
}

/** A day of UTC ends while most schedules are played. */
const STARTED_AT_MS = Date.UTC(2026, 0, 2) - 6_000;

export function simulatedClock(): SimulatedClock {
  let now = 0;
  let order = 0;
  let startedAtMs = STARTED_AT_MS;
  const timers: Timer[] = [];

  function after(ms: number, fn: () => void): () => void {
    const timer = { at: now + Math.max(0, ms), order: order++, fn };
    let i = timers.length;
    while (i > 0 && later(timers[i - 1]!, timer)) i--;
    timers.splice(i, 0, timer);
    return () => {
      const at = timers.indexOf(timer);
      if (at >= 0) timers.splice(at, 1);
    };
  }

  const clock: Clock = { now: () => startedAtMs + Math.floor(now), monotonic: () => now, after };
  return {
    ...clock,
    async step() {
      const timer = timers.shift();
      if (!timer) return false;
      now = Math.max(now, timer.at);
      timer.fn();
      await settled();
      return true;
    },
    skip: (ms) => void (now += Math.max(0, ms)),
    setBack: (ms) => void (startedAtMs -= ms),
    fork() {
      let alive = true;
      return {
        ...clock,
        after: (ms, fn) => after(ms, () => alive && fn()),
        kill: () => void (alive = false),
      };
    },
  };
}

function later(a: Timer, b: Timer): boolean {
  return a.at > b.at || (a.at === b.at && a.order > b.order);
}

/** All promise jobs run before the next turn of the loop. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

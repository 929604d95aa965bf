// Node's global of this name is a getter.
import { performance } from 'node:perf_hooks';

/** Time as everything in Rungate sees it, so that tests and the simulation can own it. */
export interface Clock {
  /** Wall clock, milliseconds since 1970 (UTC). For what is stored or shown. */
  now(): number;
  /** Monotonic milliseconds. For durations inside one process. */
  monotonic(): number;
  /** Calls `fn` once after `ms`; the returned function cancels it. The timer never keeps the process alive. */
  after(ms: number, fn: () => void): () => void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit';
import type { Clock } from '../../core/clock.ts';

/** So many keys may send requests within one minute before the one that began first is forgotten: some 15 MB. */
const WINDOWS_MAX = 100_000;

interface Window {
  count: number;
  /** Monotonic. */
  endsMs: number;
}

/** By key, in the order in which they began, and so, all being of one length, in which they end. */
export type RequestWindows = Map<string, Window>;

/**
 * Counts by key, in memory. The library's own store goes by the wall clock: set back by an hour, that would keep a key
 * out for an hour.
 */
export function createWindowStore(clock: Pick<Clock, 'monotonic'>, windows: RequestWindows): FastifyRateLimitStoreCtor {
  return class WindowStore implements FastifyRateLimitStore {
    readonly #windows = windows;

    incr(key: string, callback: Parameters<FastifyRateLimitStore['incr']>[1], windowMs: number): void {
      const now = clock.monotonic();
      let window = this.#windows.get(key);
      if (window === undefined || window.endsMs <= now) {
        window = { count: 0, endsMs: now + windowMs };
        this.#begin(key, window, now);
      }
      window.count += 1;
      callback(null, { current: window.count, ttl: window.endsMs - now });
    }

    child(): this {
      return this;
    }

    #begin(key: string, window: Window, now: number): void {
      this.#windows.delete(key);
      for (const [oldest, { endsMs }] of this.#windows) {
        if (endsMs > now && this.#windows.size < WINDOWS_MAX) break;
        this.#windows.delete(oldest);
      }
      this.#windows.set(key, window);
    }
  };
}

import type { Clock } from '../core/clock.ts';
import type { KeyStore } from './ports.ts';

/**
 * Whether pages of a browser origin may read answers. What somebody sends as `Origin` is handed in as it came; only an exact
 * match counts. Rejects where the store cannot say.
 */
export type ServesOrigin = (origin: string) => Promise<boolean>;

/** A key that is revoked takes its origins with it within a second; half of it goes to whatever else is slow. */
const KNOWN_FOR_MS = 500;
const KNOWN_MAX = 1_000;

/**
 * Makes the check over a store and the configuration. An origin is served while the configuration or a valid key names
 * it. Only what is served is remembered: origins that somebody makes up must not push the real ones out.
 */
export function createOriginCheck({
  keys,
  configured,
  clock,
}: {
  keys: Pick<KeyStore, 'servesOrigin'>;
  /** As the configuration names them now. */
  configured: () => ReadonlySet<string>;
  clock: Pick<Clock, 'now' | 'monotonic'>;
}): ServesOrigin {
  /** Until when each is believed, monotonic; the oldest first. */
  const known = new Map<string, number>();

  function remember(origin: string, now: number): void {
    known.delete(origin);
    for (const oldest of known.keys()) {
      if (known.size < KNOWN_MAX) break;
      known.delete(oldest);
    }
    known.set(origin, now + KNOWN_FOR_MS);
  }

  return async function servesOrigin(origin) {
    if (configured().has(origin)) return true;
    const now = clock.monotonic();
    if (now < (known.get(origin) ?? -Infinity)) return true;
    const served = await keys.servesOrigin(origin, clock.now());
    if (served) remember(origin, now);
    else known.delete(origin);
    return served;
  };
}

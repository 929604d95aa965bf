/** A key that has not begun a run for so long is no longer counted among those who want places. */
const ACTIVE_MS = 1_000;
/** Keys that are remembered: beyond it those that were silent for longest go first. */
const KEYS_MAX = 1_000;
/** Beyond the bound by so much of it at most, all keys together. */
const BEYOND_SHARE = 0.5;
/** So often somebody who was never let in before may try: whoever makes ids up gets no further than that. */
const STRANGER_MS = 10;

/** Who wants a place. */
export interface Asking {
  /** A key's id; null: nobody can tell. */
  key: string | null;
  /** Whether the key was shown to be the asker's, not only claimed. */
  proven: boolean;
}

interface Place {
  inside: number;
  /** Monotonic milliseconds. */
  askedAt: number;
}

/**
 * Who has the places of new runs. Where all are taken, a key that has less than its equal part of them may have one more, so
 * that a key with three hundred connections does not keep the others out. Its equal part is of those keys that wanted one
 * within the last second.
 *
 * Invariants: a key is remembered while it has a place; at most half the bound is given beyond it.
 */
export interface FairPlaces {
  /**
   * Whether this key may have one more, though `inside` of `bound` are taken. Of keys that are not proven only those that
   * had a place before are told apart; of all the others one is let by from time to time, to ask again once it is proven.
   */
  mayExceed(asking: Asking, room: { bound: number; inside: number; now: number }): boolean;
  enter(key: string, now: number): void;
  leave(key: string): void;
  /** Counts again who wants places. */
  count(now: number): void;
}

export function createFairPlaces(): FairPlaces {
  const places = new Map<string, Place>();
  let active = 1;
  let strangerAt = -Infinity;

  function hasTurnOfStrangers(now: number): boolean {
    if (now - strangerAt < STRANGER_MS) return false;
    strangerAt = now;
    return true;
  }

  /** The last in the order of the map is the one that has asked last. */
  function hasAsked(key: string, place: Place, now: number): void {
    place.askedAt = now;
    places.delete(key);
    places.set(key, place);
  }

  function forgetOne(): void {
    for (const [key, { inside }] of places) {
      if (inside > 0) continue;
      places.delete(key);
      return;
    }
  }

  return {
    mayExceed({ key, proven }, { bound, inside, now }) {
      if (inside + 1 > bound * (1 + BEYOND_SHARE)) return false;
      const place = key === null ? undefined : places.get(key);
      if (key === null || place === undefined) return proven || hasTurnOfStrangers(now);
      hasAsked(key, place, now);
      return place.inside + 1 <= Math.max(1, bound / active);
    },
    enter(key, now) {
      const place = places.get(key);
      if (place !== undefined) {
        place.inside += 1;
        hasAsked(key, place, now);
        return;
      }
      if (places.size >= KEYS_MAX) forgetOne();
      places.set(key, { inside: 1, askedAt: now });
    },
    leave(key) {
      const place = places.get(key);
      if (place !== undefined) place.inside -= 1;
    },
    count(now) {
      active = 0;
      for (const { inside, askedAt } of places.values()) if (inside > 0 || now - askedAt < ACTIVE_MS) active += 1;
      active = Math.max(1, active);
    },
  };
}

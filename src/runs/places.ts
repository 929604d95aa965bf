/** Room for starts in flight: a start takes a place before it is written or sent, and frees it when it is over. */
export interface Places {
  /** For a claimed run. Null while all are taken. */
  take(): Place | null;
  /** For a run that is about to be written: null also while others are queued before it. */
  takeAhead(): Place | null;
  /** How many are free. */
  left(): number;
  /** A run was queued: whoever comes later stands behind it. */
  queued(): void;
  /** The store has no queued run any more. */
  queueIsEmpty(): void;
}

export interface Place {
  /** A second time does nothing. */
  free(): void;
}

/** At most `max` places are taken at once. `onFree` is called when a place is free that a queued run may wait for. */
export function createPlaces(max: number, onFree: () => void): Places {
  let left = max;
  // Runs may be queued from before this process; the first claim finds out.
  let queue = true;

  function take(): Place | null {
    if (left <= 0) return null;
    left--;
    let taken = true;
    return {
      free() {
        if (!taken) return;
        taken = false;
        left++;
        if (queue) onFree();
      },
    };
  }

  return {
    take,
    takeAhead: () => (queue ? null : take()),
    left: () => left,
    queued: () => void (queue = true),
    queueIsEmpty: () => void (queue = false),
  };
}

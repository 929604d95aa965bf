/** Room for starts in flight: a start takes a place before it is written or sent, and frees it when it is over. */
export interface Places {
  /** Null while all are taken. */
  take(): Place | null;
  /** How many are free. */
  left(): number;
}

export interface Place {
  /** A second time does nothing. */
  free(): void;
}

/** At most `max` places are taken at once. `onFree` is called when one is free again. */
export function createPlaces(max: number, onFree: () => void): Places {
  let left = max;

  return {
    take() {
      if (left <= 0) return null;
      left--;
      let taken = true;
      return {
        free() {
          if (!taken) return;
          taken = false;
          left++;
          onFree();
        },
      };
    },
    left: () => left,
  };
}

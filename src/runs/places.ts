/** Room for starts in flight: a start takes a place before it is written or sent, and frees it when it is over. */
export interface Places {
  /** Null while all are taken. */
  take(): Place | null;
  /** How many are free. */
  left(): number;
}

export interface Place {
  /** Whoever waits for room may have it. A second time does nothing. */
  free(): void;
  /**
   * The same where nothing has changed for those who wait, so that nobody is told: whoever found no room would look
   * again at once, and so on for ever.
   */
  giveBack(): void;
}

/** At most `max` places are taken at once. `onFree` is called when one is free again. */
export function createPlaces(max: number, onFree: () => void): Places {
  let left = max;

  return {
    take() {
      if (left <= 0) return null;
      left--;
      let taken = true;
      const giveBack = () => {
        if (taken) left++;
        taken = false;
      };
      return {
        giveBack,
        free() {
          if (!taken) return;
          giveBack();
          onFree();
        },
      };
    },
    left: () => left,
  };
}

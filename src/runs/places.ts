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

/** At most `max` places are taken at once. */
export function createPlaces(max: number): Places {
  const taken = new Set<Place>();
  return {
    take() {
      if (taken.size >= max) return null;
      const place: Place = { free: () => void taken.delete(place) };
      taken.add(place);
      return place;
    },
    left: () => max - taken.size,
  };
}

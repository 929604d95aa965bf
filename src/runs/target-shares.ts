/**
 * How many messages may be under way to one target, so that a dead one does not hold up the others.
 *
 * A target is unknown or answering (nearly all places are its to take) -> silent (its last try brought no answer: it gets
 * few places, and all silent ones together at most half) -> answering again with its next answer.
 */
export interface TargetShares {
  /** A place, or how long to wait for one. */
  take(origin: string): { place: TargetPlace } | { waitMs: number };
}

export interface TargetPlace {
  /** Frees the place. `answered` null: the try was given up by us and says nothing of the target. */
  leave(answered: boolean | null): void;
}

const BUSY_WAIT_MS = 1_000;
const SILENT_WAIT_MS = 15_000;
/** Silent targets that are remembered while nothing is under way to them. */
const REMEMBERED_MAX = 1_000;

interface Target {
  underWay: number;
  silent: boolean;
}

export function createTargetShares(placesMax: number): TargetShares {
  const shareMax = Math.ceil((placesMax * 3) / 4);
  const silentShareMax = Math.ceil(placesMax / 8);
  const silentMax = Math.ceil(placesMax / 2);
  const targets = new Map<string, Target>();

  function silentUnderWay(): number {
    let sum = 0;
    for (const { silent, underWay } of targets.values()) if (silent) sum += underWay;
    return sum;
  }

  /** Only targets in use and silent ones are kept, of these the latest. */
  function forget(): void {
    for (const [origin, { underWay, silent }] of targets) {
      if (underWay === 0 && (!silent || targets.size > REMEMBERED_MAX)) targets.delete(origin);
    }
  }

  return {
    take(origin) {
      const target = targets.get(origin) ?? { underWay: 0, silent: false };
      if (target.silent && (target.underWay >= silentShareMax || silentUnderWay() >= silentMax)) {
        return { waitMs: SILENT_WAIT_MS };
      }
      if (target.underWay >= shareMax) return { waitMs: BUSY_WAIT_MS };
      target.underWay++;
      targets.set(origin, target);
      return {
        place: {
          leave(answered) {
            target.underWay--;
            if (answered !== null) target.silent = !answered;
            // Behind the others: the one that was heard of last is forgotten last.
            targets.delete(origin);
            targets.set(origin, target);
            forget();
          },
        },
      };
    },
  };
}

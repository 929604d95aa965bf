/**
 * How many messages may be under way to one target, so that a dead one does not hold up the others.
 *
 * A target is unknown until its first try is over -> answering or silent, as its last try was. One that answers may take
 * nearly all places, an unknown one some, a silent one few; and those that do not answer have at most half of the places
 * together, because a caller may name a new one with each run.
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
/** Targets that are remembered while nothing is under way to them. */
const REMEMBERED_MAX = 1_000;

interface Target {
  underWay: number;
  standing: 'unknown' | 'answering' | 'silent';
}

export function createTargetShares(placesMax: number): TargetShares {
  const shareMax: Readonly<Record<Target['standing'], number>> = {
    answering: Math.ceil((placesMax * 3) / 4),
    unknown: Math.ceil(placesMax / 4),
    silent: Math.ceil(placesMax / 8),
  };
  const unprovenMax = Math.ceil(placesMax / 2);
  /** The one that was heard of last is the last. */
  const targets = new Map<string, Target>();

  function unprovenUnderWay(): number {
    let sum = 0;
    for (const { standing, underWay } of targets.values()) if (standing !== 'answering') sum += underWay;
    return sum;
  }

  /** How long a message has to wait; 0: there is a place for it. */
  function waitMs({ standing, underWay }: Target): number {
    const hasRoom = standing === 'answering' || unprovenUnderWay() < unprovenMax;
    if (hasRoom && underWay < shareMax[standing]) return 0;
    return standing === 'silent' ? SILENT_WAIT_MS : BUSY_WAIT_MS;
  }

  function leave(origin: string, target: Target, answered: boolean | null): void {
    target.underWay--;
    if (answered !== null) target.standing = answered ? 'answering' : 'silent';
    targets.delete(origin);
    if (target.underWay > 0 || target.standing !== 'unknown') targets.set(origin, target);
    if (targets.size <= REMEMBERED_MAX) return;
    for (const [other, { underWay }] of targets) {
      if (underWay > 0) continue;
      targets.delete(other);
      break;
    }
  }

  return {
    take(origin) {
      const target = targets.get(origin) ?? { underWay: 0, standing: 'unknown' };
      const ms = waitMs(target);
      if (ms > 0) return { waitMs: ms };
      target.underWay++;
      targets.set(origin, target);
      return { place: { leave: (answered) => leave(origin, target, answered) } };
    },
  };
}

/** Late as everything may be, so many at once are let in: whoever refuses everybody never learns that it is over. */
const AT_ONCE_MIN = 16;
/** At most by so much the bound shrinks in one step. */
const SHRINK = 0.2;
const GROW = 1.02;
const GROW_SLOWLY = 1.002;
const GROW_CALM = 1.25;
/** Delays of so many decisions in a row are a queue; one is a garbage collection, or another process that had its turn. */
const PATIENCE = 2;
/** With more than this share of `max` inside, a loop that is late means that a flood has just begun. */
const CROWD_SHARE = 0.5;
/** A loop that is late by so many times the delay is reason enough, however few are inside. */
const LAG_TIMES = 80;
/** Below this share of the delay that is too much, more are let in. */
const LOW_SHARE = 0.25;
/** Below this one still, slowly: a machine with other work is always a little late, which says nothing of ours. */
const USUAL_SHARE = 0.5;
/** How fast the usual time follows when it is less than thought, and when it is more. */
const LEARN_LESS = 0.2;
const LEARN_MORE = 0.05;

/** What was seen since the last decision. */
export interface Seen {
  /** How late the event loop was on average. */
  lagMs: number;
  /** Nobody has been refused for a while. */
  calm: boolean;
}

/** How many may be let in at once: falls with the delay that they meet, and rises again. */
export interface AdmissionBound {
  current(): number;
  inside(): number;
  /** So many have got in under a bound that has not shrunk yet that the next decision should not be waited for. */
  isCrowded(): boolean;
  hasRoom(): boolean;
  enter(): void;
  /** One is out again, after so long. */
  leave(ms: number): void;
  decide(seen: Seen): void;
}

/**
 * The delay is how much longer than usual those inside take, or the event loop's lateness if that is more. What is usual
 * is learnt while nobody is refused: a slow disk is no overload. Where nobody is refused they may take as long as they
 * take, for their number limits itself; unless more than half of `max` are inside and the loop is late. That is a flood
 * that has just begun, and whoever gets in costs more time behind the commit than before it. Once somebody has to be
 * refused, those who are let in had better be fast: as a queue's delay is in proportion to its length (Little's law), the
 * bound shrinks with the delay.
 */
export function createAdmissionBound({ max, delayMs }: { max: number; delayMs: number }): AdmissionBound {
  const min = Math.min(AT_ONCE_MIN, max);
  const crowdMin = max * CROWD_SHARE;
  let bound = max;
  let usualMs: number | null = null;
  let inside = 0;
  let peak = 0;
  let count = 0;
  let sumMs = 0;
  let delayedInARow = 0;
  let floodedInARow = 0;
  let wasFull = false;

  /** Null: nobody has left. */
  function takeMean(): number | null {
    const mean = count === 0 ? null : sumMs / count;
    count = 0;
    sumMs = 0;
    return mean;
  }

  function shrink(excess: number): void {
    bound = Math.max(min, Math.min(bound, peak) * Math.max(SHRINK, 1 / excess));
  }

  function learn(tookMs: number, good: boolean): void {
    usualMs ??= tookMs;
    if (tookMs < usualMs) usualMs += (tookMs - usualMs) * LEARN_LESS;
    else if (good) usualMs += (tookMs - usualMs) * LEARN_MORE;
  }

  return {
    current: () => bound,
    inside: () => inside,
    isCrowded: () => bound === max && inside > crowdMin,
    hasRoom() {
      if (inside + 1 <= bound) return true;
      wasFull = true;
      return false;
    },
    enter() {
      inside += 1;
      if (inside > peak) peak = inside;
    },
    leave(ms) {
      inside -= 1;
      count += 1;
      sumMs += ms;
    },
    decide({ lagMs, calm }) {
      const tookMs = takeMean();
      if (tookMs !== null) learn(tookMs, calm && lagMs < delayMs * USUAL_SHARE);
      const loopExcess = lagMs / delayMs;
      const excess = Math.max(loopExcess, ((tookMs ?? 0) - (usualMs ?? 0)) / delayMs);
      const isDelayed = excess > 1 && (wasFull || loopExcess > LAG_TIMES);
      // Where nobody has left, nothing new is known of their delay.
      if (isDelayed) delayedInARow += 1;
      else if (tookMs !== null || inside === 0) delayedInARow = 0;
      // Of a flood that nobody was refused for the loop alone tells: what waits for a slow disk makes no loop late.
      floodedInARow = peak > crowdMin && loopExcess > 1 ? floodedInARow + 1 : 0;
      if (isDelayed && delayedInARow >= (bound < max ? 1 : PATIENCE)) shrink(excess);
      else if (floodedInARow >= PATIENCE) shrink(loopExcess);
      // A bound that nobody meets keeps nobody fast: a machine that is always a little late must not stay at the least.
      else if (calm && excess <= 1) bound = Math.min(max, bound * GROW_CALM);
      else if (excess < USUAL_SHARE) bound = Math.min(max, bound * (excess < LOW_SHARE ? GROW : GROW_SLOWLY));
      peak = inside;
      wasFull = false;
    },
  };
}

import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import { createAdmissionBound } from './admission-bound.ts';
import { createFairPlaces, type Asking } from './fair-places.ts';

/** What tells how hard it goes for the process. Asked many times a second. */
export interface PressureSignals {
  /** Writes that wait for the disk. */
  storeQueue(): number;
  /** Of the memory that there may be, the part in use: 0 to 1. */
  memoryShare(): number;
}

export interface ShedLimits {
  /** How late the event loop may be, and how much longer than usual a new run may take to be written, on average. */
  delayMs: number;
  /** New runs between their request and their commit at once, while all is well. */
  atOnceMax: number;
  storeQueueMax: number;
  memoryShareMax: number;
}

export interface LoadShedderParts {
  clock: Pick<Clock, 'monotonic' | 'after'>;
  random: Pick<Random, 'float'>;
  log: Pick<Log, 'warn'>;
  signals: PressureSignals;
  limits: ShedLimits;
  /** Hears of each refusal, for metrics. */
  onShed: () => void;
}

/** Refuses new runs while there is more work than fits. Everything else is none of its business. */
export interface LoadShedder {
  /**
   * Null: there is room for a new run at this moment, of which nothing is taken. Else after how many seconds to ask again.
   * `key`: the id of the key that the request claims to have; null: it claims none that could be read.
   */
  refusal(key: string | null): number | null;
  /** Takes the room for a new run until it is written or refused; call what it returns then. `key`: the caller's, proven. Throws `overloaded`. */
  admit(key: string): () => void;
}

/** So often the event loop's lateness is seen, by a timer's own. */
const SAMPLE_MS = 10;
/** What was seen for so long makes a decision; with a crowd inside, what was seen once. */
const DECIDE_MS = 50;
/** Memory in use must fall by this share of all before everybody is let in again. */
const MEMORY_GAP = 0.05;
/** So often one is let in where memory is short: it may all be garbage, which only new work has collected. */
const TRICKLE_MS = 100;
/** Without a refusal for so long it is calm; without a request, nothing is watched any more. */
const CALM_MS = 1_000;
const LOG_MS = 1_000;
/** Those who are refused in one moment should not come back in one. */
const RETRY_S_MIN = 1;
const RETRY_S_SPREAD = 4;

type Reason = 'delay' | 'store_queue' | 'memory';

/** Bounds how many new runs are between their request and their commit at once. Watches only while requests come. */
export function createLoadShedder(parts: LoadShedderParts): LoadShedder {
  const { clock, random, signals, limits, onShed } = parts;
  const bound = createAdmissionBound({ max: limits.atOnceMax, delayMs: limits.delayMs });
  const places = createFairPlaces();
  const tally = createTally(parts.log);
  let short: Exclude<Reason, 'delay'> | null = null;
  let enteredAt = -Infinity;
  let refusedAt = -Infinity;

  const watch = createWatch(clock, {
    decide(lagMs) {
      const now = clock.monotonic();
      bound.decide({ lagMs, calm: now - refusedAt >= CALM_MS });
      short = shortOf();
      places.count(now);
      tally.tell(now, { lag_ms: Math.round(lagMs), at_once_max: Math.floor(bound.current()) });
    },
    isNeeded: () => bound.inside() > 0 || tally.waits(),
    isUrgent: () => bound.isCrowded(),
  });

  function shortOf(): typeof short {
    if (signals.storeQueue() > limits.storeQueueMax) return 'store_queue';
    const gap = short === 'memory' ? MEMORY_GAP : 0;
    return signals.memoryShare() > limits.memoryShareMax - gap ? 'memory' : null;
  }

  function reasonAt(asking: Asking, now: number): Reason | null {
    if (short === 'memory' && now - enteredAt >= TRICKLE_MS) return null;
    if (short !== null) return short;
    if (bound.hasRoom()) return null;
    return places.mayExceed(asking, { bound: bound.current(), inside: bound.inside(), now }) ? null : 'delay';
  }

  function refusalAt(asking: Asking, now: number): number | null {
    const reason = reasonAt(asking, now);
    if (reason === null) return null;
    watch.used(now);
    refusedAt = now;
    tally.refused(reason);
    onShed();
    return RETRY_S_MIN + Math.floor(random.float() * RETRY_S_SPREAD);
  }

  return {
    refusal: (key) => refusalAt({ key, proven: false }, clock.monotonic()),
    admit(key) {
      const now = clock.monotonic();
      const retryAfterS = refusalAt({ key, proven: true }, now);
      if (retryAfterS !== null) throw new GatewayError('overloaded', { retryAfterS });
      watch.used(now);
      enteredAt = now;
      bound.enter();
      places.enter(key, now);
      return () => {
        places.leave(key);
        bound.leave(clock.monotonic() - now);
      };
    },
  };
}

interface Watch {
  /** Somebody wants something: from here on it is watched. */
  used(now: number): void;
}

/** Sees how late its own timer is, and has decided from time to time. Stops by itself when nothing is used or needed. */
function createWatch(
  clock: Pick<Clock, 'monotonic' | 'after'>,
  { decide, isNeeded, isUrgent }: { decide: (lagMs: number) => void; isNeeded: () => boolean; isUrgent: () => boolean },
): Watch {
  let watching = false;
  let usedAt = 0;
  let dueAt = 0;
  let decidedAt = 0;
  let samples = 0;
  let lateMs = 0;

  function wait(now: number): void {
    dueAt = now + SAMPLE_MS;
    clock.after(SAMPLE_MS, sample);
  }

  function sample(): void {
    const now = clock.monotonic();
    lateMs += Math.max(0, now - dueAt);
    samples += 1;
    if (now - decidedAt < DECIDE_MS && !isUrgent()) return wait(now);
    decide(lateMs / samples);
    decidedAt = now;
    samples = 0;
    lateMs = 0;
    watching = now - usedAt < CALM_MS || isNeeded();
    if (watching) wait(now);
  }

  return {
    used(now) {
      usedAt = now;
      if (watching) return;
      watching = true;
      decidedAt = now;
      wait(now);
    },
  };
}

/** One line for all refusals of a second: a line for each would be more work where there is too much. */
function createTally(log: Pick<Log, 'warn'>) {
  let count = 0;
  let lastReason: Reason = 'delay';
  let toldAt = -Infinity;
  return {
    refused(reason: Reason): void {
      count += 1;
      lastReason = reason;
    },
    waits: () => count > 0,
    tell(now: number, state: Readonly<Record<string, number>>): void {
      if (count === 0 || now - toldAt < LOG_MS) return;
      log.warn(
        { refused: count, reason: lastReason, ...state },
        'new runs were refused: there is as much work as fits',
      );
      count = 0;
      toldAt = now;
    },
  };
}

import { BusyMap } from '../core/busy-map.ts';
import type { Clock } from '../core/clock.ts';
import type { RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { AbortReason } from './call-once.ts';
import { NO_HEADERS } from './idempotency.ts';
import type { Run } from './model.ts';
import type { Decide, Mover } from './mover.ts';
import type { Change } from './ports.ts';

/**
 * Calls that must not be sent twice, while they are in flight: starts and resumes.
 *
 * A flight begins when the row says so, and is known here until its result is on disk. It ends by the
 * vendor's answer, by a broken connection, or by one of three aborts: the deadline, a cancel, the drain.
 */
export interface Flights {
  /**
   * Makes the call and writes what it makes of the run. `call` never rejects for a reason of the vendor's;
   * where it does, `fault` decides: the run still ends, or is asked about.
   */
  launch<Result>(run: Run, flown: Flown<Result>): Flight;
  /**
   * The move that lets a call leave is being written; until the returned function is called, the run counts as
   * in flight, so that nobody takes its row for lost while the store is slow to answer.
   */
  board(id: RunId): () => void;
  has(id: RunId): boolean;
  /** Nothing flies yet: the row may not be there. What flies was written before. */
  isBoarding(id: RunId): boolean;
  /** In flight, and the vendor has not spoken yet. */
  isUnanswered(id: RunId): boolean;
  ids(): RunId[];
  abort(id: RunId, reason: AbortReason): void;
  /**
   * A command has taken the row of a streamed start, whose run the vendor has named: from now on the vendor is asked,
   * and the stream is closed, so that the row does not count as cared for by it. A resume's answer is still awaited.
   */
  handOver(id: RunId): void;
  /** Aborts what has run past its deadline. */
  sweep(): void;
  /** Resolves once nothing is in flight. */
  idle(): Promise<void>;
}

/** What the caller of a start or a resume may see of it while it flies. */
export interface Flight {
  readonly vendorHeaders: Readonly<Record<string, string>>;
  readonly upstreamMs: number;
}

/** The same for whoever makes the call. */
export interface OpenFlight extends Flight {
  vendorHeaders: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** A call leaves for the vendor: what an earlier one was told is no answer to it. */
  asks(): void;
  /** The vendor has nothing more to say to it; said again, it changes nothing. */
  heard(): void;
}

/** What is to be flown. */
export interface Flown<Result> {
  operation: 'start' | 'resume';
  call: (flight: OpenFlight) => Promise<Result>;
  /** What the result makes of the run as it is now. */
  land: (latest: Run, result: Result) => Change | null;
  fault: Decide;
  /** Once the result is on disk, or was dropped. */
  landed?: () => void;
}

interface Entry extends OpenFlight {
  /** The vendor has spoken; only the result has yet to be written. */
  answered: boolean;
  /** Monotonic: a clock that is set ends no call. */
  readonly deadlineMs: number;
  readonly operation: 'start' | 'resume';
  readonly controller: AbortController;
}

export function createFlights({
  mover,
  clock,
  log,
  stopped,
}: {
  mover: Mover;
  clock: Clock;
  log: Log;
  /** Aborted when the process gives up writing. */
  stopped: AbortSignal;
}): Flights {
  const flights = new BusyMap<RunId, Entry>();
  const boarding = new BusyMap<RunId, number>();
  const idleWaiters = new Set<() => void>();

  function wakeIfIdle(): void {
    if (flights.size > 0 || boarding.size > 0) return;
    for (const resolve of idleWaiters) resolve();
    idleWaiters.clear();
  }

  function leave(id: RunId): void {
    const others = (boarding.get(id) ?? 1) - 1;
    if (others > 0) boarding.set(id, others);
    else boarding.delete(id);
    wakeIfIdle();
  }

  /** Never rejects. In one piece, since every run goes this way, and asynchronous functions within each other cost. */
  async function fly<Result>(run: Run, entry: Entry, { call, land, fault, landed }: Flown<Result>): Promise<void> {
    try {
      let result: Result;
      try {
        result = await call(entry);
      } finally {
        entry.answered = true;
        entry.heard();
      }
      await mover.settle(run, (latest) => land(latest, result), stopped);
    } catch (cause) {
      log.error({ err: cause, run_id: run.id }, 'a call that must not be repeated could not be carried out');
      await mover
        .settle(run, fault, stopped)
        .catch((again: unknown) => log.error({ err: again, run_id: run.id }, 'run could not be ended'));
    } finally {
      if (flights.get(run.id) === entry) flights.delete(run.id);
      wakeIfIdle();
      landed?.();
    }
  }

  function abort(id: RunId, reason: AbortReason): void {
    const entry = flights.get(id);
    if (entry && !entry.answered) entry.controller.abort(reason);
  }

  return {
    launch(run, flown) {
      // The stream of a start that was paused may still be read when the run is resumed: the row is no longer its to write.
      abort(run.id, 'cancelled');
      const controller = new AbortController();
      const { signal } = controller;
      let spentMs = 0;
      let askedMs: number | null = null;
      const askingMs = () => (askedMs === null ? 0 : clock.monotonic() - askedMs);
      const entry: Entry = {
        vendorHeaders: NO_HEADERS,
        get upstreamMs() {
          return spentMs + askingMs();
        },
        asks() {
          entry.vendorHeaders = NO_HEADERS;
          askedMs = clock.monotonic();
        },
        heard() {
          spentMs += askingMs();
          askedMs = null;
        },
        answered: false,
        deadlineMs: clock.monotonic() + run.deadlineAt - clock.now(),
        operation: flown.operation,
        controller,
        signal,
      };
      flights.set(run.id, entry);
      void fly(run, entry, flown);
      return entry;
    },
    board(id) {
      boarding.set(id, (boarding.get(id) ?? 0) + 1);
      return () => leave(id);
    },
    has: (id) => flights.has(id) || boarding.has(id),
    isBoarding: (id) => boarding.has(id) && !flights.has(id),
    isUnanswered: (id) => flights.get(id)?.answered === false,
    ids: () => [...flights.keys(), ...boarding.keys()],
    abort,
    handOver(id) {
      if (flights.get(id)?.operation === 'start') abort(id, 'cancelled');
    },
    sweep() {
      const now = clock.monotonic();
      for (const id of flights.keys()) if ((flights.get(id)?.deadlineMs ?? Infinity) <= now) abort(id, 'deadline');
    },
    idle() {
      const { promise, resolve } = Promise.withResolvers<void>();
      idleWaiters.add(resolve);
      wakeIfIdle();
      return promise;
    },
  };
}

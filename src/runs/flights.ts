import { BusyMap } from '../core/busy-map.ts';
import type { Clock } from '../core/clock.ts';
import type { RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { AbortReason } from './call-once.ts';
import type { Run } from './model.ts';
import type { Decide, Mover } from './mover.ts';

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
  launch(run: Run, call: (flight: OpenFlight) => Promise<Decide>, fault: Decide): Launched;
  has(id: RunId): boolean;
  /** In flight, and the vendor has not spoken yet. */
  isUnanswered(id: RunId): boolean;
  ids(): RunId[];
  abort(id: RunId, reason: AbortReason): void;
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
}

export interface Launched {
  flight: Flight;
  /** Resolves when the result is on disk, or was dropped. Never rejects. */
  landed: Promise<void>;
}

interface Entry extends OpenFlight {
  upstreamMs: number;
  /** The vendor has spoken; only the result has yet to be written. */
  answered: boolean;
  readonly deadlineAt: number;
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
  const idleWaiters = new Set<() => void>();

  async function fly(
    run: Run,
    entry: Entry,
    { call, fault }: { call: (flight: OpenFlight) => Promise<Decide>; fault: Decide },
  ) {
    try {
      const begunAt = clock.monotonic();
      const decide = await call(entry).finally(() => {
        entry.answered = true;
        entry.upstreamMs = clock.monotonic() - begunAt;
      });
      await mover.settle(run, decide, stopped);
    } catch (cause) {
      log.error({ cause, run_id: run.id }, 'a call that must not be repeated could not be carried out');
      await mover
        .settle(run, fault, stopped)
        .catch((again: unknown) => log.error({ cause: again, run_id: run.id }, 'run could not be ended'));
    } finally {
      if (flights.get(run.id) === entry) flights.delete(run.id);
      if (flights.size === 0) {
        for (const resolve of idleWaiters) resolve();
        idleWaiters.clear();
      }
    }
  }

  function abort(id: RunId, reason: AbortReason): void {
    const entry = flights.get(id);
    if (entry && !entry.answered) entry.controller.abort(reason);
  }

  return {
    launch(run, call, fault) {
      const controller = new AbortController();
      const { signal } = controller;
      const entry: Entry = {
        vendorHeaders: {},
        upstreamMs: 0,
        answered: false,
        deadlineAt: run.deadlineAt,
        controller,
        signal,
      };
      flights.set(run.id, entry);
      return { flight: entry, landed: fly(run, entry, { call, fault }) };
    },
    has: (id) => flights.has(id),
    isUnanswered: (id) => flights.get(id)?.answered === false,
    ids: () => flights.keys(),
    abort,
    sweep() {
      const now = clock.now();
      for (const id of flights.keys()) if ((flights.get(id)?.deadlineAt ?? Infinity) <= now) abort(id, 'deadline');
    },
    idle: () => (flights.size === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.add(resolve))),
  };
}

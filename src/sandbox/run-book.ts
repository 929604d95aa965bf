import type { Clock } from '../core/clock.ts';
import { damageAfter, type End, type Plan } from './faults.ts';
import type { Damage } from './damages.ts';

/**
 * The runs of a vendor that is asked for them. No timer runs: what a run is now follows from when it
 * began and from its plan.
 */
export interface RunBook<Facts> {
  begin(run: { id: string; workflow: string; plan: Plan; facts: Facts; bytes: number }): void;
  /** Null where there is none of this id, or it may not be seen yet. */
  find(id: string): BookedRun<Facts> | null;
  phaseOf(run: BookedRun<Facts>): Phase;
  /** Wall clock of its end, milliseconds; null while it goes on. */
  endedAt(run: BookedRun<Facts>): number | null;
  /** What befalls this read; counts it. */
  damageOfRead(run: BookedRun<Facts>): Damage | null;
  /** What befalls this cancel; counts it. */
  damageOfCancel(run: BookedRun<Facts>): Damage | null;
  /** Ends the run as its plan says; false where the vendor refuses. */
  cancel(run: BookedRun<Facts>): boolean;
  reset(): void;
}

export type Phase = 'running' | 'waiting' | End;

/** A run in the book; what changes is the book's own business. */
export interface BookedRun<Facts> {
  readonly id: string;
  readonly workflow: string;
  readonly plan: Plan;
  readonly facts: Facts;
  /** Wall clock, milliseconds. */
  readonly startedAt: number;
  readonly startedMonotonic: number;
  readonly bytes: number;
  /** Milliseconds after its beginning at which a cancel takes hold. */
  cancelledAfterMs: number;
  reads: number;
  cancels: number;
}

interface Limits {
  /** Milliseconds that an ordinary run takes. */
  runMs: number;
  runsMax: number;
}

const BOOK_BYTES_MAX = 128 * 1024 * 1024;

/** An empty book; the oldest runs are forgotten beyond `runsMax` of them or 128 MiB. */
export function createRunBook<Facts>(clock: Clock, { runMs, runsMax }: Limits): RunBook<Facts> {
  const runs = new Map<string, BookedRun<Facts>>();
  let bytes = 0;

  function remove(id: string): void {
    bytes -= runs.get(id)?.bytes ?? 0;
    runs.delete(id);
  }
  function makeRoom(): void {
    for (const id of runs.keys()) {
      if (runs.size <= runsMax && bytes <= BOOK_BYTES_MAX) return;
      remove(id);
    }
  }
  const ageOf = (run: BookedRun<Facts>) => clock.monotonic() - run.startedMonotonic;
  const workMs = (run: BookedRun<Facts>) => run.plan.runMs ?? runMs;
  const naturalMs = (run: BookedRun<Facts>) => workMs(run) + (run.plan.waitsMs ?? 0);

  function phaseOf(run: BookedRun<Facts>): Phase {
    const age = ageOf(run);
    const natural = naturalMs(run);
    if (age >= run.cancelledAfterMs && run.cancelledAfterMs < natural) return 'cancelled';
    if (age < workMs(run)) return 'running';
    return age < natural ? 'waiting' : run.plan.end;
  }

  return {
    begin(run) {
      remove(run.id);
      const times = { startedAt: clock.now(), startedMonotonic: clock.monotonic() };
      runs.set(run.id, { ...run, ...times, cancelledAfterMs: Number.POSITIVE_INFINITY, reads: 0, cancels: 0 });
      bytes += run.bytes;
      makeRoom();
    },
    find(id) {
      const run = runs.get(id);
      return run !== undefined && ageOf(run) >= run.plan.knownAfterMs ? run : null;
    },
    phaseOf,
    endedAt(run) {
      if (isGoingOn(phaseOf(run))) return null;
      return Math.round(run.startedAt + Math.min(naturalMs(run), run.cancelledAfterMs));
    },
    damageOfRead: (run) => damageAfter(run.reads++, run.plan.polls),
    damageOfCancel: (run) => damageAfter(run.cancels++, run.plan.cancels),
    cancel(run) {
      if (run.plan.cancel.kind === 'refused' || !isGoingOn(phaseOf(run))) return false;
      run.cancelledAfterMs = Math.min(run.cancelledAfterMs, ageOf(run) + run.plan.cancel.slowMs);
      return true;
    },
    reset() {
      runs.clear();
      bytes = 0;
    },
  };
}

/** Whether a run has not ended. */
export function isGoingOn(phase: Phase): phase is 'running' | 'waiting' {
  return phase === 'running' || phase === 'waiting';
}

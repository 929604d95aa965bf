import type { Clock } from '../core/clock.ts';
import { damageAfter } from './faults.ts';
import type { End, Plan } from './plan.ts';
import type { Damage } from './damages.ts';
import type { RunToWatch } from './vendor.ts';

/**
 * The runs of a vendor that is asked for them. No timer runs: what a run is now follows from when it
 * began and from its plan.
 */
export interface RunBook<Facts> {
  begin(run: { id: string; workflow: string; plan: Plan; facts: Facts; bytes: number }): void;
  /** Null where there is none of this id, or it may not be seen yet. */
  find(id: string): BookedRun<Facts> | null;
  /** Newest first. */
  list(page: { skip: number; limit: number }): { runs: BookedRun<Facts>[]; total: number };
  phaseOf(run: BookedRun<Facts>): Phase;
  /** Milliseconds since its beginning. */
  ageOf(run: BookedRun<Facts>): number;
  /** Milliseconds of work of an ordinary turn. */
  workMsOf(run: BookedRun<Facts>): number;
  /** Milliseconds until its phase changes by itself; Infinity where somebody must come. */
  nextChangeMs(run: BookedRun<Facts>): number;
  /** Wall clock of its end, milliseconds; null while it goes on. */
  endedAt(run: BookedRun<Facts>): number | null;
  /** What befalls this read; counts it. */
  damageOfRead(run: BookedRun<Facts>): Damage | null;
  /** What befalls this cancel; counts it. */
  damageOfCancel(run: BookedRun<Facts>): Damage | null;
  /** What befalls this reading of the run as it goes on; counts it. */
  damageOfStream(run: BookedRun<Facts>): Damage | null;
  damageOfPause(run: BookedRun<Facts>): Damage | null;
  damageOfResume(run: BookedRun<Facts>): Damage | null;
  /** Ends the run as its plan says; false where the vendor refuses. */
  cancel(run: BookedRun<Facts>): boolean;
  /** Makes a running run wait for a resume; false where the vendor refuses. One that waits already stays as it is. */
  pause(run: BookedRun<Facts>): boolean;
  /** Lets a run go on that is in this phase: after an answer it works anew, after a pause on what was left. */
  resume(run: BookedRun<Facts>, from: 'asking' | 'waiting'): boolean;
  reset(): void;
}

/** `waiting`: for somebody who lets it go on; `asking`: for an answer. */
export type Phase = 'running' | 'waiting' | 'asking' | End;

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
  turn: Turn;
  /** Answers that it still asks for. */
  asksLeft: number;
  reads: number;
  cancels: number;
  streams: number;
  pauses: number;
  resumes: number;
}

/** A stretch of work that nobody interrupts. */
interface Turn {
  /** Milliseconds after the run's beginning. */
  sinceMs: number;
  workMs: number;
  /** Milliseconds of waiting after the work; Infinity until somebody comes. */
  waitsMs: number;
  /** Milliseconds after the run's beginning at which a pause took hold; null: none did. */
  pausedAtMs: number | null;
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
  const workMs = (plan: Plan) => plan.runMs ?? runMs;
  const naturalMs = ({ turn, asksLeft }: BookedRun<Facts>) =>
    turn.pausedAtMs !== null || asksLeft > 0 ? Number.POSITIVE_INFINITY : turn.sinceMs + turn.workMs + turn.waitsMs;

  function phaseOf(run: BookedRun<Facts>): Phase {
    const age = ageOf(run);
    const natural = naturalMs(run);
    if (age >= run.cancelledAfterMs && run.cancelledAfterMs < natural) return 'cancelled';
    if (run.turn.pausedAtMs !== null) return 'waiting';
    if (age < run.turn.sinceMs + run.turn.workMs) return 'running';
    if (run.asksLeft > 0) return 'asking';
    return age < natural ? 'waiting' : run.plan.end;
  }
  function nextChangeMs(run: BookedRun<Facts>): number {
    const { turn, cancelledAfterMs } = run;
    const changes = [
      cancelledAfterMs,
      naturalMs(run),
      ...(turn.pausedAtMs === null ? [turn.sinceMs + turn.workMs] : []),
    ];
    const ahead = changes.map((at) => at - ageOf(run)).filter((ms) => ms > 0);
    return Math.min(Number.POSITIVE_INFINITY, ...ahead);
  }
  function resume(run: BookedRun<Facts>, from: 'asking' | 'waiting'): boolean {
    if (phaseOf(run) !== from) return false;
    const { pausedAtMs, workMs: planned, sinceMs, waitsMs } = run.turn;
    const left = pausedAtMs === null ? workMs(run.plan) : planned - (pausedAtMs - sinceMs);
    // Whoever lets a waiting run go on ends the waiting that its plan has; a pause comes before it.
    const stillWaits = from === 'asking' || pausedAtMs !== null ? waitsMs : 0;
    if (from === 'asking') run.asksLeft -= 1;
    run.turn = { sinceMs: ageOf(run), workMs: left, waitsMs: stillWaits, pausedAtMs: null };
    return true;
  }

  return {
    begin(run) {
      remove(run.id);
      const times = { startedAt: clock.now(), startedMonotonic: clock.monotonic() };
      runs.set(run.id, {
        ...run,
        ...times,
        cancelledAfterMs: Number.POSITIVE_INFINITY,
        turn: { sinceMs: 0, workMs: workMs(run.plan), waitsMs: run.plan.waitsMs ?? 0, pausedAtMs: null },
        asksLeft: run.plan.asks,
        reads: 0,
        cancels: 0,
        streams: 0,
        pauses: 0,
        resumes: 0,
      });
      bytes += run.bytes;
      makeRoom();
    },
    find(id) {
      const run = runs.get(id);
      return run !== undefined && ageOf(run) >= run.plan.knownAfterMs ? run : null;
    },
    list({ skip, limit }) {
      return { runs: [...runs.values()].toReversed().slice(skip, skip + limit), total: runs.size };
    },
    phaseOf,
    ageOf,
    workMsOf: ({ plan }) => workMs(plan),
    nextChangeMs,
    endedAt(run) {
      if (isGoingOn(phaseOf(run))) return null;
      return Math.round(run.startedAt + Math.min(naturalMs(run), run.cancelledAfterMs));
    },
    damageOfRead: (run) => damageAfter(run.reads++, run.plan.polls),
    damageOfCancel: (run) => damageAfter(run.cancels++, run.plan.cancels),
    damageOfStream: (run) => damageAfter(run.streams++, run.plan.streams),
    damageOfPause: (run) => damageAfter(run.pauses++, run.plan.pauses),
    damageOfResume: (run) => damageAfter(run.resumes++, run.plan.resumes),
    cancel(run) {
      if (run.plan.cancel.kind === 'refused' || !isGoingOn(phaseOf(run))) return false;
      run.cancelledAfterMs = Math.min(run.cancelledAfterMs, ageOf(run) + run.plan.cancel.slowMs);
      return true;
    },
    pause(run) {
      const phase = phaseOf(run);
      if (!run.plan.pausable || !isGoingOn(phase)) return false;
      if (phase === 'running') run.turn = { ...run.turn, pausedAtMs: ageOf(run) };
      return true;
    },
    resume,
    reset() {
      runs.clear();
      bytes = 0;
    },
  };
}

/** Whether a run has not ended. */
export function isGoingOn(phase: Phase): phase is 'running' | 'waiting' | 'asking' {
  return phase === 'running' || phase === 'waiting' || phase === 'asking';
}

/** A run as somebody who wants to hear of its end sees it. */
export function watched<Facts>(book: RunBook<Facts>, id: string): RunToWatch {
  const find = () => book.find(id);
  return {
    id,
    hasEnded() {
      const run = find();
      return run !== null && !isGoingOn(book.phaseOf(run));
    },
    nextChangeMs() {
      const run = find();
      return run === null ? Number.POSITIVE_INFINITY : book.nextChangeMs(run);
    },
  };
}

import { isGoingOn, type BookedRun, type Phase, type RunBook } from './run-book.ts';

/** What happens in a run that somebody watches. */
export type Beat =
  /** A piece of its work is done; counted from 0. */
  { is: 'piece'; index: number } | { is: 'phase'; phase: Phase };

/** A command may change the run's phase at any time. */
const LOOK_MS = 100;

interface Watching {
  /** Pieces of work of a turn, spread evenly over its time. */
  pieces: number;
  /** Resolves after this time, or at once when nobody watches any more. */
  delay: (ms: number) => Promise<void>;
  gone: () => boolean;
}

/** A run from its beginning: what has happened already at once, then the rest as it happens, until it ends. */
export async function* beatsOf<Facts>(
  book: RunBook<Facts>,
  run: BookedRun<Facts>,
  { pieces, delay, gone }: Watching,
): AsyncGenerator<Beat> {
  const workMs = book.workMsOf(run);
  let index = 0;
  let last: Phase = 'running';
  while (!gone()) {
    const phase = book.phaseOf(run);
    const done =
      phase === 'running' ? piecesDone(book.ageOf(run), { workMs, pieces }) : stopped(run, phase) ? index : pieces;
    for (; index < done; index++) {
      yield { is: 'piece', index };
      if (gone()) return;
    }
    if (phase !== last) yield { is: 'phase', phase };
    last = phase;
    if (!isGoingOn(phase)) return;
    const nextPieceMs = phase === 'running' ? ((index + 1) * workMs) / Math.max(pieces, 1) - book.ageOf(run) : LOOK_MS;
    await delay(Math.max(1, Math.min(nextPieceMs, book.nextChangeMs(run), LOOK_MS)));
  }
}

function piecesDone(ageMs: number, { workMs, pieces }: { workMs: number; pieces: number }): number {
  return workMs <= 0 ? pieces : Math.min(pieces, Math.floor((ageMs / workMs) * pieces));
}

/** Work that somebody stopped stays unfinished; otherwise what comes after it shows that it is done. */
function stopped<Facts>({ turn }: BookedRun<Facts>, phase: Phase): boolean {
  return phase === 'cancelled' || turn.pausedAtMs !== null;
}

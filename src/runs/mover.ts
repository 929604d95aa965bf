import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { pause } from '../core/clock.ts';
import { withDeliveries } from './deliveries.ts';
import { hasEnded, type Run } from './model.ts';
import type { Change, IdempotencyClaim, RunStore } from './ports.ts';
import { mayMove } from './state-table.ts';

/** Computes the change for a run as it is now; null: there is nothing left to do. */
export type Decide = (run: Run) => Change | null;

export interface Mover {
  /** The same with an idempotency key. */
  moveOnce(run: Run, change: Change, claim: IdempotencyClaim): ReturnType<RunStore['moveOnce']>;
  /** One try: compare and set. A command names no owner. */
  move(run: Run, change: Change, owner?: Owner): Promise<Run | 'stale'>;
  /**
   * Writes what a carer has learnt, however long the store needs: decides again on the row as it is
   * when somebody was faster, and tries again while the store is down. Resolves to the run as written,
   * or null where the run had ended, is gone, or nothing was left to do.
   */
  settle(run: Run, decide: Decide, signal: AbortSignal): Promise<Run | null>;
}

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;
/** Losing this many races in a row means that something else is wrong. */
const RACES_MAX = 50;

/**
 * The only place where a run changes its status.
 * Invariants: a move is in the state table; it compares version (and owner); its event, its attempt and its messages
 * to the caller's webhook are in the same commit; who waits hears of it after the commit.
 */
export function createMover({
  store,
  clock,
  log,
  onMoved,
  onDropped,
  onUnsure,
}: {
  store: RunStore;
  clock: Clock;
  log: Log;
  onMoved: (run: Run, change: Change) => void;
  /** A late result found the run ended. */
  onDropped?: (run: Run) => void;
  /** A write has failed: nobody was told of it, and it may have happened. */
  onUnsure?: (id: RunId) => void;
}): Mover {
  async function written<T>({ id }: Run, write: Promise<T>): Promise<T> {
    try {
      return await write;
    } catch (cause) {
      onUnsure?.(id);
      throw cause;
    }
  }

  async function move(run: Run, change: Change, owner?: Owner): Promise<Run | 'stale'> {
    check(run, change);
    const from = owner === undefined ? { run } : { run, owner };
    const moved = await written(run, store.move(from, withDeliveries(run, change)));
    if (moved !== 'stale') onMoved(moved, change);
    return moved;
  }

  async function moveOnce(run: Run, change: Change, claim: IdempotencyClaim) {
    check(run, change);
    const result = await written(run, store.moveOnce({ run }, withDeliveries(run, change), claim));
    if (result !== 'stale' && result.kind === 'moved') onMoved(result.run, change);
    return result;
  }

  async function settle(run: Run, decide: Decide, signal: AbortSignal): Promise<Run | null> {
    let current: Run | null = run;
    for (let races = 0; races < RACES_MAX && current !== null; races++) {
      if (hasEnded(current)) {
        log.info({ run_id: run.id, status: current.status }, 'late result dropped');
        onDropped?.(current);
        return null;
      }
      const change = decide(current);
      if (change === null) return null;
      const latest = current;
      const moved: Run | 'stale' | null = await whileStoreIsDown(
        () => move(latest, change, latest.owner ?? undefined),
        signal,
      );
      if (moved !== 'stale') return moved;
      current = await whileStoreIsDown(() => store.peek(run.id), signal);
    }
    if (current === null) return null;
    throw new GatewayError('internal', { cause: new Error('a run changed too often to be written') });
  }

  /** Null: given up, because the process stops. Recovery then finds the row as it was. */
  async function whileStoreIsDown<T>(write: () => Promise<T>, signal: AbortSignal): Promise<T | null> {
    for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
      try {
        return await write();
      } catch (cause) {
        if (!(cause instanceof GatewayError) || cause.code !== 'store_unavailable') throw cause;
        if (signal.aborted) return null;
        log.warn({ err: cause }, 'store unavailable, the result is kept and written again');
      }
      await pause(clock, waitMs, signal);
    }
  }

  return { move, moveOnce, settle };
}

function check(run: Run, change: Change): void {
  if (mayMove(run.status, change.status)) return;
  throw new GatewayError('internal', { cause: new Error(`illegal move from ${run.status} to ${change.status}`) });
}

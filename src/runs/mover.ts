import { pause, type Clock } from '../core/clock.ts';
import { GatewayError, isStoreUnavailable } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { withDeliveries } from './deliveries.ts';
import { hasEnded, type Run } from './model.ts';
import type { Change, IdempotencyClaim, RunStore } from './ports.ts';
import { mayMove } from './state-table.ts';

/** Computes the change for a run as it is now; null: there is nothing left to do. */
export type Decide = (run: Run) => Change | null;

export interface Mover {
  /** One try: compare and set. A command names no owner. */
  move(run: Run, change: Change, owner?: Owner): Promise<Run | 'stale'>;
  /** The same with an idempotency key. */
  moveOnce(run: Run, change: Change, claim: IdempotencyClaim): ReturnType<RunStore['moveOnce']>;
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
  /** With few asynchronous functions within each other, since every run goes this way, and they cost. */
  async function move(run: Run, change: Change, owner?: Owner): Promise<Run | 'stale'> {
    check(run, change);
    const from = owner === undefined ? { run } : { run, owner };
    const whole = withDeliveries(run, change);
    let moved: Run | 'stale';
    try {
      moved = await store.move(from, whole);
    } catch (cause) {
      onUnsure?.(run.id);
      throw cause;
    }
    if (moved !== 'stale') onMoved(moved, change);
    return moved;
  }

  async function moveOnce(run: Run, change: Change, claim: IdempotencyClaim) {
    check(run, change);
    const result = await store.moveOnce({ run }, withDeliveries(run, change), claim).catch((cause: unknown) => {
      onUnsure?.(run.id);
      throw cause;
    });
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
      const latest: Run = current;
      const write = () => move(latest, change, latest.owner ?? undefined);
      let moved: Run | 'stale' | null;
      try {
        moved = await write();
      } catch (cause) {
        moved = await againWhileStoreIsDown(write, cause, signal);
      }
      if (moved !== 'stale') return moved;
      const peek = () => store.peek(run.id);
      current = await peek().catch((cause: unknown) => againWhileStoreIsDown(peek, cause, signal));
    }
    if (current === null) return null;
    throw new GatewayError('internal', { cause: new Error('a run changed too often to be written') });
  }

  /** After a first fault. Null: given up, because the process stops. Recovery then finds the row as it was. */
  async function againWhileStoreIsDown<T>(
    work: () => Promise<T>,
    first: unknown,
    signal: AbortSignal,
  ): Promise<T | null> {
    let cause = first;
    for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
      if (!isStoreUnavailable(cause)) throw cause;
      if (signal.aborted) return null;
      log.warn({ err: cause }, 'store unavailable, the result is kept and written again');
      await pause(clock, waitMs, signal);
      try {
        return await work();
      } catch (again) {
        cause = again;
      }
    }
  }

  return { move, moveOnce, settle };
}

function check(run: Run, change: Change): void {
  if (mayMove(run.status, change.status)) return;
  throw new GatewayError('internal', { cause: new Error(`illegal move from ${run.status} to ${change.status}`) });
}

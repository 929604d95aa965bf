import { BusyMap } from '../core/busy-map.ts';
import type { Clock } from '../core/clock.ts';
import { isStoreUnavailable } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { hasEnded, type Run } from './model.ts';
import type { Attendance } from './run-service.ts';

/**
 * Who attends runs that are to be cancelled when nobody does (`on_disconnect: cancel`).
 *
 * A run is known here from the first open `POST` of it on. It is
 *
 *   attended: `open` POSTs are open;
 *   armed:    the last of them was dropped by its caller; who comes back within the grace, by POST or by following its
 *             events, disarms it; else it is cancelled;
 *   spared:   it was disarmed by a follower. Only another dropped POST can arm it again.
 *
 * It is forgotten for good once a POST of it was answered, or ended by us: what is not known here is never cancelled. So
 * nothing is known of runs that another process began, and nothing has to be kept about those that were answered. What is
 * spared is forgotten at the run's deadline, which bounds the memory. There are no timers: `sweep` looks.
 */
export interface Attendances {
  /**
   * `joined`: the caller came by an idempotency key to a run that was begun before. `left` is to be called once the caller
   * no longer follows the run.
   */
  attend(run: Run, joined: boolean): Attendance;
  /** Somebody has begun to follow the run's events. */
  followed(id: RunId): void;
  /** Cancels what nobody came back to. */
  sweep(): void;
  /** How many runs are known. */
  size(): number;
}

export interface AttendanceParts {
  clock: Pick<Clock, 'now' | 'monotonic'>;
  log: Log;
  isFollowed: (id: RunId) => boolean;
  /** The run as it is then. */
  cancel: (id: RunId) => Promise<Pick<Run, 'status'>>;
}

interface Attended {
  open: number;
  /** The POST that began the run was seen. */
  begun: boolean;
  /** A POST was answered, or ended by us. */
  answered: boolean;
  /** Monotonic; null: not armed. */
  armedMs: number | null;
  readonly deadlineAt: number;
}

const GRACE_MS = 5_000;
const NOBODY: Attendance = Object.freeze({ answered: () => {}, left: () => {} });

export function createAttendances({ clock, log, isFollowed, cancel }: AttendanceParts): Attendances {
  const attended = new BusyMap<RunId, Attended>();

  function over(id: RunId, entry: Attended, how: 'answered' | 'left'): void {
    entry.open--;
    if (how === 'answered') entry.answered = true;
    if (entry.open > 0) return;
    // A copy may be answered before the POST that began the run is even seen here: then that answer must be remembered.
    if (entry.answered ? entry.begun : !entry.begun) attended.delete(id);
    else if (entry.answered) return;
    else if (!isFollowed(id)) entry.armedMs = clock.monotonic();
  }

  /** A store that is down is asked again at the next sweep, until the run's deadline. */
  async function cancelNow(id: RunId, entry: Attended): Promise<void> {
    attended.delete(id);
    try {
      const { status } = await cancel(id);
      // Else it had ended by itself within the grace.
      if (status !== 'cancelled' && status !== 'cancelling') return;
      log.info({ run_id: id }, 'run cancelled, because all who waited for it have left');
    } catch (cause) {
      const comesBack = isStoreUnavailable(cause);
      if (comesBack && !attended.has(id) && clock.now() < entry.deadlineAt) attended.set(id, entry);
      else log.warn({ err: cause, run_id: id }, 'run that nobody waits for could not be cancelled');
    }
  }

  return {
    attend(run, joined) {
      if (run.onDisconnect !== 'cancel' || hasEnded(run)) return NOBODY;
      const { id, deadlineAt } = run;
      const entry = attended.get(id) ?? { open: 0, begun: false, answered: false, armedMs: null, deadlineAt };
      attended.set(id, entry);
      entry.open++;
      entry.armedMs = null;
      if (!joined) entry.begun = true;
      return once((how) => over(id, entry, how));
    },
    followed(id) {
      const entry = attended.get(id);
      if (entry) entry.armedMs = null;
    },
    sweep() {
      for (const id of attended.keys()) {
        const entry = attended.get(id);
        if (!entry || entry.open > 0) continue;
        if (entry.armedMs === null) {
          if (clock.now() >= entry.deadlineAt) attended.delete(id);
        } else if (isFollowed(id)) entry.armedMs = null;
        else if (clock.monotonic() - entry.armedMs >= GRACE_MS) void cancelNow(id, entry);
      }
    },
    size: () => attended.size,
  };
}

/** An attendance ends once, whoever says so first. */
function once(end: (how: 'answered' | 'left') => void): Attendance {
  let over = false;
  const say = (how: 'answered' | 'left') => {
    if (over) return;
    over = true;
    end(how);
  };
  return { answered: () => say('answered'), left: () => say('left') };
}

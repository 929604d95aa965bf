import { BusyMap } from '../core/busy-map.ts';
import type { Clock } from '../core/clock.ts';
import { type GatewayError, isStoreUnavailable, wrongParam } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { createEventPages } from './event-pages.ts';
import * as followers from './followers.ts';
import { createFrameRing } from './frame-ring.ts';
import type { EngineLimits } from './limits.ts';
import { hasEnded, type Run } from './model.ts';
import type { RunStore } from './ports.ts';
import type { EventReader, Following } from './run-service.ts';

/**
 * Followers of runs' events. The log of a run that is followed is read once for all its followers: whenever the store
 * hints that the run has changed, and every second in any case. What was read is rendered once, and the last of it stays
 * in a ring. A follower is
 *
 *   behind: it is told what lies between its own `seq` and what was read, from the ring or by pages from the store;
 *   live:   it is told what is read, as it is read;
 *   full:   its reader takes no more. It keeps its place and nothing else; `drained` makes it `behind`;
 *   failed: the store did not answer; the next sweep makes it `behind` again;
 *   gone:   it was closed, or has left.
 *
 * Invariants: a follower is among the followers before its first page is read, and the log is read on at least once after
 * that, so there is no gap. It is told only what lies behind its own `seq`, so nothing comes twice. `catchUp` runs once
 * for each time that it becomes `behind`. A run without followers is forgotten. Nothing here has a timer: `sweep` keeps
 * connections alive, cuts off who stays `full`, and repeats what failed.
 */
export interface Feed {
  /**
   * Tells `reader` what lies behind `after`, then what comes, and closes it after the run's end. `run` is as it was read
   * just now. `ended`: nothing lies behind `after`, and never will. Throws `invalid_request` for one beyond the log.
   */
  follow(run: Run, after: number, reader: EventReader): Following | 'ended';
  isFollowed(id: RunId): boolean;
  /** A hint, which may be lost: the run, or any run, has changed. */
  changed(id: RunId | null): void;
  /** Is called every 200 ms or so. */
  sweep(): void;
  /** Closes everybody, now and from now on: the process drains. Who comes later is told the log as it is, then closed. */
  releaseAll(): void;
  /** How many followers there are. */
  size(): number;
}

export interface FeedParts {
  store: Pick<RunStore, 'get' | 'peek' | 'eventsAfter'>;
  clock: Pick<Clock, 'monotonic'>;
  log: Log;
  limits: Pick<EngineLimits, 'readerBufferCharacters' | 'slowReaderMs'>;
}

const REREAD_MS = 1_000;
/** Beyond as many in one sweep, the next one goes on where this one stopped. */
const REREADS_MAX = 2_000;
/** How long a run may have been deleted before its followers learn it. */
const EXISTS_MS = 15_000;
const WARN_MS = 5_000;

/** Makes the feed of one process. */
export function createFeed({ store, clock, log, limits }: FeedParts): Feed {
  const runs = new BusyMap<RunId, followers.Followed>();
  const warn = createWarning({ clock, log });
  const shared: followers.FeedState = { runs, clock, limits, warn, followers: 0, released: false, closedByDrain: 0 };
  let sweepFrom = 0;

  function enter(run: Run): followers.Followed {
    const known = runs.get(run.id);
    if (known) return known;
    const now = clock.monotonic();
    const entered: followers.Followed = {
      id: run.id,
      pages: createEventPages(store, run.id, limits.readerBufferCharacters),
      ring: createFrameRing(run.seq, limits.readerBufferCharacters),
      followers: new Set(),
      reading: false,
      again: false,
      readMs: now,
      seenMs: now,
    };
    runs.set(run.id, entered);
    return entered;
  }

  /** The runs to be read again; a bounded number of them. */
  function* dueRuns(all: readonly followers.Followed[], now: number): Generator<followers.Followed> {
    let reads = 0;
    let looked = 0;
    for (; looked < all.length && reads < REREADS_MAX; looked++) {
      const run = all[(sweepFrom + looked) % all.length];
      if (!run || now - run.readMs < REREAD_MS || followers.isRead(run)) continue;
      reads++;
      yield run;
    }
    sweepFrom = all.length === 0 ? 0 : (sweepFrom + looked) % all.length;
  }

  return {
    follow(run, after, reader) {
      const endSeq = hasEnded(run) ? run.seq : (runs.get(run.id)?.pages.endSeq ?? Infinity);
      const lastSeq = Math.max(run.seq, runs.get(run.id)?.ring.seq ?? 0);
      if (after > lastSeq) throw beyondLog(after, lastSeq);
      if (after >= endSeq) return 'ended';
      const followed = enter(run);
      if (hasEnded(run)) followed.pages.endSeq = run.seq;
      const aliveMs = clock.monotonic();
      const follower: followers.Follower = {
        run: followed,
        reader,
        state: 'behind',
        seq: after,
        fullSinceMs: 0,
        turn: 0,
        aliveMs,
      };
      const isFirst = followed.followers.size === 0;
      followed.followers.add(follower);
      shared.followers++;
      // What came between the reading of the run and now was hinted to nobody.
      if (isFirst || run.seq > followed.ring.seq) void readOn(shared, followed);
      void followers.catchUp(shared, follower);
      return {
        drained: () => {
          if (follower.state === 'full') void followers.catchUp(shared, follower);
        },
        stop: () => followers.leave(shared, follower),
      };
    },
    isFollowed: (id) => runs.has(id),
    changed(id) {
      const run = id === null ? undefined : runs.get(id);
      if (run) void readOn(shared, run);
      if (id === null) for (const any of runs.values()) any.readMs = -Infinity;
    },
    sweep() {
      const now = clock.monotonic();
      const all = runs.values();
      for (const run of all) {
        for (const follower of run.followers) followers.sweepFollower(shared, follower, now);
        if (now - run.seenMs >= EXISTS_MS) void lookWhetherItExists(shared, store, run);
      }
      for (const run of dueRuns(all, now)) void readOn(shared, run);
    },
    releaseAll() {
      shared.released = true;
      for (const run of runs.values()) {
        for (const follower of run.followers) followers.closeByDrain(shared, follower);
      }
    },
    size: () => shared.followers,
  };
}

function beyondLog(after: number, lastSeq: number): GatewayError {
  const message = `\`after\`: the run has ${lastSeq} events, and none of number ${after}.`;
  return wrongParam('after', message);
}

/** A store that is down fails for everybody at once; one line in a while tells it. */
function createWarning({ clock, log }: Pick<FeedParts, 'clock' | 'log'>): (cause: unknown) => void {
  let warnedMs = -Infinity;
  return (cause) => {
    const now = clock.monotonic();
    if (now - warnedMs < WARN_MS) return;
    warnedMs = now;
    log[isStoreUnavailable(cause) ? 'warn' : 'error']({ err: cause }, 'events could not be read and are read again');
  };
}

type Store = FeedParts['store'];

/** Reads the run's log on, until nothing more is there. Never rejects. */
async function readOn(shared: followers.FeedState, run: followers.Followed): Promise<void> {
  run.again = true;
  if (run.reading) return;
  run.reading = true;
  try {
    while (run.again && run.followers.size > 0 && !followers.isRead(run)) {
      run.again = false;
      await readPage(shared, run);
    }
  } catch (cause) {
    run.readMs = -Infinity;
    shared.warn(cause);
  } finally {
    run.reading = false;
  }
}

async function readPage(shared: followers.FeedState, run: followers.Followed): Promise<void> {
  const { ring, pages } = run;
  const from = ring.seq;
  run.readMs = shared.clock.monotonic();
  const chunks = await pages.after(from);
  if (chunks === null) return followers.closeAll(shared, run);
  if (chunks.length === 0) return;
  for (const chunk of chunks) ring.push(chunk);
  if (pages.isFull(chunks)) run.again = true;
  run.seenMs = run.readMs;
  for (const follower of run.followers) {
    if (follower.state !== 'live') continue;
    if (follower.seq === from) followers.tell(shared, follower, chunks);
    // It came with a number that was not read yet.
    else void followers.catchUp(shared, follower);
  }
}

/** A run may be deleted between its end and the reading of it. */
async function lookWhetherItExists(shared: followers.FeedState, store: Store, run: followers.Followed): Promise<void> {
  run.seenMs = shared.clock.monotonic();
  try {
    if ((await store.peek(run.id)) === null) followers.closeAll(shared, run);
  } catch (cause) {
    shared.warn(cause);
  }
}

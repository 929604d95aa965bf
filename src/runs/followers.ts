import type { BusyMap } from '../core/busy-map.ts';
import type { Clock } from '../core/clock.ts';
import type { RunId } from '../core/ids.ts';
import type { Chunk, EventPages } from './event-pages.ts';
import type { FrameRing } from './frame-ring.ts';
import type { EngineLimits } from './limits.ts';
import type { EventReader } from './run-service.ts';

/** A run that is followed. */
export interface Followed {
  readonly id: RunId;
  readonly pages: EventPages;
  readonly ring: FrameRing;
  readonly followers: Set<Follower>;
  reading: boolean;
  /** Something may have come while it was read. */
  again: boolean;
  /** When it was last read, and when it was last seen to exist; monotonic. */
  readMs: number;
  seenMs: number;
}

/** One reader of it; the states are told of in `feed.ts`. */
export interface Follower {
  readonly run: Followed;
  readonly reader: EventReader;
  state: 'behind' | 'live' | 'full' | 'failed' | 'gone';
  /** The last event that it was told. */
  seq: number;
  fullSinceMs: number;
  aliveMs: number;
  /** Counts how often it became `behind`: a page that an earlier time was still waiting for is not told. */
  turn: number;
}

/** What all followers of a process share. */
export interface FeedState {
  readonly runs: BusyMap<RunId, Followed>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly limits: Pick<EngineLimits, 'slowReaderMs'>;
  /** Says that the store did not answer. */
  readonly warn: (cause: unknown) => void;
  followers: number;
  /** The process drains. */
  released: boolean;
  closedByDrain: number;
}

const KEEP_ALIVE_MS = 15_000;
const KEEP_ALIVE = ': keep-alive\n\n';
/** Clients come back after this long, each a little later than the one before, so that they do not come at once. */
const RETRY_MS = 1_000;
const RETRY_STEP_MS = 97;
const RETRY_SPREAD_MS = 2_000;

/** The reader has left, or was closed: nothing more is told to it. */
export function leave(shared: FeedState, follower: Follower): void {
  if (follower.state === 'gone') return;
  const { run } = follower;
  follower.state = 'gone';
  shared.followers--;
  run.followers.delete(follower);
  if (run.followers.size === 0 && shared.runs.get(run.id) === run) shared.runs.delete(run.id);
}

function close(shared: FeedState, follower: Follower, reason: Parameters<EventReader['close']>[0]): void {
  leave(shared, follower);
  follower.reader.close(reason);
}

/** Tells the reader to come back, to another process perhaps. */
export function closeByDrain(shared: FeedState, follower: Follower): void {
  const retryMs = RETRY_MS + ((shared.closedByDrain++ * RETRY_STEP_MS) % RETRY_SPREAD_MS);
  follower.reader.write(`: this gateway stops; come back with Last-Event-ID: ${follower.seq}\nretry: ${retryMs}\n\n`);
  close(shared, follower, 'drain');
}

/** The run was deleted: nothing more comes of it. */
export function closeAll(shared: FeedState, run: Followed): void {
  for (const follower of run.followers) close(shared, follower, 'done');
}

/** Whether the last of the run's events was read. */
export function isRead({ pages, ring }: Followed): boolean {
  return pages.endSeq !== null && ring.seq >= pages.endSeq;
}

function hasAll({ run, seq }: Follower): boolean {
  return run.pages.endSeq !== null && seq >= run.pages.endSeq;
}

/** Writes what the reader takes; who has been told all that there will ever be is closed. */
export function tell(shared: FeedState, follower: Follower, chunks: readonly Chunk[]): void {
  for (const { last, text } of chunks) {
    const takesMore = follower.reader.write(text);
    follower.seq = last;
    if (takesMore) continue;
    if (shared.released) closeByDrain(shared, follower);
    else becomeFull(shared, follower);
    return;
  }
  if (hasAll(follower)) close(shared, follower, 'done');
}

function becomeFull({ clock }: FeedState, follower: Follower): void {
  if (follower.state === 'gone') return;
  follower.state = 'full';
  follower.fullSinceMs = clock.monotonic();
}

/** Tells a follower what it has missed, until it has met the run's reading. Never rejects. */
export async function catchUp(shared: FeedState, follower: Follower): Promise<void> {
  const { run } = follower;
  follower.state = 'behind';
  const turn = ++follower.turn;
  const isOn = () => isBehind(follower) && follower.turn === turn;
  try {
    while (isOn()) {
      if (hasAll(follower)) return close(shared, follower, 'done');
      if (follower.seq >= run.ring.seq) {
        if (shared.released) closeByDrain(shared, follower);
        else follower.state = 'live';
        return;
      }
      const chunks = run.ring.after(follower.seq) ?? (await run.pages.after(follower.seq));
      if (!isOn()) return;
      // What was there is gone.
      if (chunks === null || chunks.length === 0) return closeAll(shared, run);
      tell(shared, follower, chunks);
    }
  } catch (cause) {
    shared.warn(cause);
    if (isOn()) follower.state = 'failed';
  }
}

/** A function, because the state changes while something is awaited. */
function isBehind({ state }: Follower): boolean {
  return state === 'behind';
}

/** Keeps the connection alive, cuts the reader off, or tries again; `nowMs` is monotonic. */
export function sweepFollower(shared: FeedState, follower: Follower, nowMs: number): void {
  const { state, reader } = follower;
  if (state === 'failed') void catchUp(shared, follower);
  else if (state === 'full') {
    if (nowMs - follower.fullSinceMs < shared.limits.slowReaderMs) return;
    reader.write(`: too slow; come back with Last-Event-ID: ${follower.seq}\n\n`);
    close(shared, follower, 'slow');
  } else if (nowMs - follower.aliveMs >= KEEP_ALIVE_MS) {
    follower.aliveMs = nowMs;
    // Also one that waits for a page: it goes on when it is drained.
    if (!reader.write(KEEP_ALIVE)) becomeFull(shared, follower);
  }
}

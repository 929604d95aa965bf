import type { Clock } from '../core/clock.ts';
import { isStoreUnavailable } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Claims } from './claims.ts';
import type { Deliverer } from './deliverer.ts';
import type { Flights } from './flights.ts';
import type { EngineLimits } from './limits.ts';
import type { RunStore } from './ports.ts';
import type { Waits } from './waits.ts';

/**
 * What looks at the clock for all runs. Each time: deadlines of starts in flight, waits and readers whose time is up, however long
 * the store takes; and a turn at the store, unless one is under way: due runs and messages claimed and cared for; every few
 * seconds the heartbeat and what dead processes left; now and then the retention. Nothing here is per run, and a turn that
 * fails is tried again at the next, the retention after a while.
 */
export interface Sweep {
  start(): Promise<void>;
  /** A turn at once: something was made due. */
  soon(): void;
  /** A start may only be sent while this holds: others may take us for dead soon. */
  heartbeatIsYoung(): boolean;
  /** No more claims; heartbeats go on. */
  stop(): void;
  /** No more of anything. Resolves when the turn under way is over. */
  end(): Promise<void>;
}

/** So late a wait may end, or a due run be looked at. */
const TURN_MS = 200;
/** A heartbeat may be lost, or be slow, and the next one still comes while the last is young. */
const BEAT_MS = 3_000;
/** With an older one a process sends no start: others may take it for dead soon. */
const HEARTBEAT_YOUNG_MS = 5_000;
/** Hints of the store may be lost: who waits is told so late at the latest. */
const RECHECK_MS = 1_000;
const LOST_MS = 5_000;
const PURGE_MS = 600_000;
/** The first one comes sooner, for servers that are restarted every few minutes. */
const FIRST_PURGE_MS = 60_000;
/** After one that failed; sooner than after others, since a full disk needs it. */
const PURGE_AGAIN_MS = 30_000;
/** Rows in one go, so that other writes come between. */
const PURGE_ROWS = 500;
/** Clocks that are only corrected a little are not worth a write. */
const SET_BACK_MS = 2_000;

export interface SweepParts {
  store: RunStore;
  flights: Flights;
  waits: Waits;
  /** Everything else that looks at the clock each time. */
  sweepable: readonly { sweep(): void }[];
  claims: Claims;
  deliverer: Pick<Deliverer, 'turn'>;
  limits: EngineLimits;
  clock: Clock;
  log: Log;
  owner: Owner;
  stopped: AbortSignal;
  /** Runs that a failed write may have changed. */
  unsure: () => readonly RunId[];
  /** A run may have been changed by another process, or by a write that seemed to fail. */
  onHint: (id: RunId) => Promise<void>;
}

export function createSweep(parts: SweepParts): Sweep {
  const { store, flights, waits, claims, clock, log, owner } = parts;
  let state: 'new' | 'caring' | 'draining' | 'ended' = 'new';
  let turning: Promise<void> | null = null;
  let purging: Promise<void> | null = null;
  let again = false;
  let beatConfirmedMs = -Infinity;
  let nextBeatMs = 0;
  let nextRecheckMs = 0;
  let nextPurgeMs = 0;
  let nextLostMs = 0;
  /** By so much the wall clock is ahead of the monotonic one. */
  const aheadMs = () => clock.now() - clock.monotonic();
  /** As last seen. */
  let wallAheadMs = aheadMs();
  let cancelTick = () => {};
  let cancelTurn = () => {};

  /** A function, because a drain may begin while something is awaited. */
  const isCaring = () => state === 'caring';

  const heartbeatIsYoung = () => clock.monotonic() - beatConfirmedMs < HEARTBEAT_YOUNG_MS;

  async function beat(): Promise<void> {
    const askedMs = clock.monotonic();
    nextBeatMs = askedMs + BEAT_MS;
    const held = await store.beat(owner);
    if (held === 'held') beatConfirmedMs = askedMs;
    else log.error({}, 'this process was declared dead; it sends no more starts');
    if (state === 'caring') {
      const orphans = await store.reclaim(owner);
      if (orphans > 0) log.info({ runs: orphans }, 'runs of a dead process taken over');
    }
  }

  async function giveBackLost(): Promise<void> {
    nextLostMs = clock.monotonic() + LOST_MS;
    await claims.giveBackLost();
    await claims.countAgain();
  }

  async function recheck(): Promise<void> {
    nextRecheckMs = clock.monotonic() + RECHECK_MS;
    for (const id of new Set([...waits.ids(), ...flights.ids(), ...parts.unsure()])) await parts.onHint(id);
  }

  /** Beside the turns: runs with many events take long, and heartbeats must not wait for that. */
  async function purge(): Promise<void> {
    try {
      const deleted = await store.purge(clock.now() - parts.limits.retentionMs, PURGE_ROWS, parts.stopped);
      nextPurgeMs = clock.monotonic() + (deleted >= PURGE_ROWS ? TURN_MS : PURGE_MS);
      if (deleted > 0) log.info({ runs: deleted }, 'runs past their retention deleted');
    } catch (cause) {
      nextPurgeMs = clock.monotonic() + PURGE_AGAIN_MS;
      if (state !== 'ended') logFailure(cause);
    } finally {
      purging = null;
    }
  }

  /** When rows are due is written by the wall clock: set back by an hour, it would let everything wait for an hour. */
  async function heedClock(): Promise<void> {
    const ahead = aheadMs();
    await wasSetBack(wallAheadMs - ahead);
    wallAheadMs = ahead;
  }

  /** Between two processes too: the heartbeats of the one before, which is declared dead after this, were not after now. */
  async function heedLastClock(): Promise<void> {
    const lastBeatAt = await store.lastBeatAt();
    if (lastBeatAt !== null) await wasSetBack(lastBeatAt - clock.now());
  }

  async function wasSetBack(byMs: number): Promise<void> {
    if (byMs < SET_BACK_MS) return;
    const ms = Math.round(byMs);
    await store.hasten(ms);
    log.warn({ ms }, 'the clock was set back; what was due is due as soon as it would have been');
  }

  async function turn(): Promise<void> {
    const now = clock.monotonic();
    if (now >= nextBeatMs) await beat();
    if (state !== 'caring') return;
    await heedClock();
    if (now >= nextRecheckMs) await recheck();
    if (isCaring() && (await claims.claim())) again = true;
    if (isCaring() && (await parts.deliverer.turn())) again = true;
    if (isCaring() && now >= nextLostMs) await giveBackLost();
    if (isCaring() && now >= nextPurgeMs) purging ??= purge();
  }

  function logFailure(cause: unknown): void {
    log[isStoreUnavailable(cause) ? 'warn' : 'error']({ err: cause }, 'a sweep failed and is tried again');
  }

  function tick(): void {
    cancelTick = clock.after(TURN_MS, tick);
    try {
      flights.sweep();
      waits.sweep();
      for (const part of parts.sweepable) part.sweep();
    } catch (cause) {
      logFailure(cause);
    }
    if (!turning) run();
  }

  function run(): void {
    cancelTurn();
    if (turning) return void (again = true);
    again = false;
    turning = turn()
      .catch(logFailure)
      .finally(() => {
        turning = null;
        if (again && state !== 'ended') cancelTurn = clock.after(0, run);
      });
  }

  function soon(): void {
    if (isCaring()) run();
  }

  return {
    async start() {
      await heedLastClock();
      await beat();
      state = 'caring';
      store.watch((id) => {
        if (id === null) nextRecheckMs = 0;
      }, parts.stopped);
      await store.reclaim(owner);
      nextPurgeMs = clock.monotonic() + FIRST_PURGE_MS;
      tick();
    },
    soon,
    heartbeatIsYoung,
    stop() {
      if (state === 'caring') state = 'draining';
    },
    async end() {
      state = 'ended';
      cancelTick();
      cancelTurn();
      await turning;
      await purging;
    },
  };
}

import { pause, type Clock } from '../core/clock.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { addToCount } from './add-to-count.ts';
import type { Carer } from './care.ts';
import type { FairShares } from './fair-shares.ts';
import type { Flights } from './flights.ts';
import type { EngineLimits } from './limits.ts';
import type { Run } from './model.ts';
import type { Places } from './places.ts';
import type { QueuedShare, RunStore } from './ports.ts';
import type { Queue } from './queue.ts';

/**
 * The runs that this process has claimed and cares for now: at most `pollsMax` reads at once, of which one
 * provider may have `pollsPerProviderMax`, so that a vendor that falls silent holds up nobody else; and queued runs, as
 * many as there are places and their providers have room for.
 */
export interface Claims {
  /** Takes what is due and what there is room for. True: there may be more. */
  claim(): Promise<boolean>;
  /** `Carer.poll`, as soon as there is room for it among the reads. */
  poll: Carer['poll'];
  /** Looks for queued runs that this process was not told of. */
  countAgain(): Promise<void>;
  /** Gives back rows that are ours and that nobody here knows of: the answer to their claim or creation was lost. */
  giveBackLost(): Promise<void>;
  /** Reads of vendors in flight. */
  reads(): number;
  /** Resolves once nobody cares for a claimed run any more. */
  idle(): Promise<void>;
}

const ROOM_WAIT_MS = 200;
/** Rows taken in one go, so that other writes come between. */
const CLAIM_MAX = 16;
/** Queued runs begun in one turn: each needs its inputs read and its attempt written. */
const QUEUED_CLAIM_MAX = 64;
/**
 * A younger run may be between its commit and the place where it is remembered. An older one cannot: a store
 * that answers so late has let our heartbeat grow old, and then its start is held back.
 */
const LOST_AFTER_MS = 15_000;

export interface ClaimsParts {
  store: RunStore;
  carer: Carer;
  flights: Flights;
  /** Runs that others here have something under way for. */
  others: () => readonly RunId[];
  places: Pick<Places, 'left'>;
  queue: Queue;
  fairShares: FairShares;
  /** How many starts each of these providers has room for now. */
  roomsOf: (shares: readonly QueuedShare[]) => Promise<ReadonlyMap<string, number>>;
  limits: EngineLimits;
  clock: Clock;
  log: Log;
  owner: Owner;
  /** Called when there is room again after something was left. */
  onRoom: () => void;
}

export function createClaims(parts: ClaimsParts): Claims {
  const { store, owner, queue, fairShares, limits, log } = parts;
  /** Each care of its own: a row that a command took away may be back, and cared for again, before the first is over. */
  const caring = new Set<{ readonly id: RunId; done: Promise<void> }>();
  const readsOf = new Map<string, number>();
  let reads = 0;
  /** How many reads the claim under way brings, and whose, is not known yet. */
  let claiming = false;

  function count(provider: string, by: 1 | -1): void {
    reads += by;
    addToCount(readsOf, provider, by);
  }

  function isFull(provider: string): boolean {
    return reads >= limits.pollsMax || (readsOf.get(provider) ?? 0) >= limits.pollsPerProviderMax;
  }

  const mayRead = (provider: string) => !claiming && !isFull(provider);

  /** Where there was no room for another, there is now. */
  function endRead(provider: string): void {
    const wasFull = isFull(provider);
    count(provider, -1);
    if (wasFull) parts.onRoom();
  }

  function care(run: Run): void {
    // A queued run's start has a place of its own; everything else counts as a read, also a start that was held back.
    const isRead = run.status !== 'queued';
    if (isRead) count(run.provider, 1);
    const over = isRead ? () => endRead(run.provider) : queue.leave(run.provider);
    const entry = { id: run.id, done: Promise.resolve() };
    caring.add(entry);
    entry.done = parts.carer
      .attend(run)
      .catch((err: unknown) => log.error({ err, run_id: run.id }, 'run could not be cared for'))
      .finally(() => {
        caring.delete(entry);
        over();
      });
  }

  /** Begins queued runs where their providers have room, keys in turns. True: there may be more. */
  async function claimQueued(): Promise<boolean> {
    const places = Math.min(parts.places.left(), QUEUED_CLAIM_MAX);
    if (places <= 0 || queue.total === 0) return false;
    const shares = await queue.recount(() => store.queuedShares());
    const rooms = await parts.roomsOf(shares);
    const wanted = fairShares.pick(shares, (provider) => rooms.get(provider) ?? 0, places);
    if (wanted.length === 0) return false;
    const runs = await store.claimQueued(owner, wanted);
    for (const run of runs) care(run);
    return runs.length >= places;
  }

  return {
    async claim() {
      const more = await claimQueued();
      const room = Math.min(limits.pollsMax - reads, CLAIM_MAX);
      if (room <= 0) return more;
      claiming = true;
      try {
        const runs = await store.claim(owner, room, { inFlight: readsOf, max: limits.pollsPerProviderMax });
        for (const run of runs) care(run);
        return more || runs.length >= room;
      } finally {
        claiming = false;
      }
    },
    async poll(run, options) {
      while (!mayRead(run.provider) && !options.signal?.aborted) await pause(parts.clock, ROOM_WAIT_MS, options.signal);
      count(run.provider, 1);
      try {
        return await parts.carer.poll(run, options);
      } finally {
        endRead(run.provider);
      }
    },
    reads: () => reads,
    async countAgain() {
      await queue.recount(() => store.queuedShares());
    },
    async giveBackLost() {
      const known = [...parts.flights.ids(), ...parts.others(), ...Array.from(caring, ({ id }) => id)];
      const lost = await store.release(owner, known, parts.clock.now() - LOST_AFTER_MS);
      if (lost > 0) log.warn({ runs: lost }, 'runs whose claim was lost are cared for again');
    },
    async idle() {
      while (caring.size > 0) await Promise.all(Array.from(caring, ({ done }) => done));
    },
  };
}

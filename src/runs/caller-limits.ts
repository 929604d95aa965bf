import type { Caller } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import { counted } from '../core/counted.ts';
import { GatewayError } from '../core/errors.ts';
import type { Census } from './census.ts';
import type { DayQuota, IdempotencyClaim, RunStore, TokenQuota } from './ports.ts';

const DAY_MS = 86_400_000;
/** Nobody knows when a run will end; some end every second. */
const RETRY_CONCURRENCY_S = 1;

/** A run that is being written, and that no row counts yet. */
export interface Entry {
  /** The run is written and counted, or will not be written. A second time it does nothing. */
  leave(): void;
}

/** What a line of keys, and a token, have used up. */
export interface UsedByCaller {
  unfinishedRuns: number;
  /** Of the UTC day; null: nothing is counted, as there is no limit. */
  runsToday: number | null;
  /** By the token; null: nothing is counted, as there is no limit, or no token. */
  tokenRuns: number | null;
}

/** Keeps lines of keys to the runs that they may have and begin. Callers without limits pass at no cost. */
export interface CallerLimitKeeper {
  /** What is used up now. Throws what the store throws. */
  usedBy(caller: Caller): Promise<UsedByCaller>;
  /**
   * Throws `concurrency_limited` where the caller has as many unfinished runs as it may, those being written in. Copies
   * with one idempotency key take one place together while any of them is being written, as only one can begin a run.
   */
  enter(caller: Caller, claim: IdempotencyClaim | null): Entry;
  /** What the store counts the caller's new run against; null: nothing. */
  quotaOf(caller: Caller): DayQuota | null;
  /** What a caller is told whose new run the store did not write because of this quota. */
  overQuota(quota: DayQuota): GatewayError;
  /** The same for what its token may begin. */
  overTokenQuota(quota: TokenQuota): GatewayError;
}

const NO_ENTRY: Entry = Object.freeze({ leave: () => {} });

/** Makes the limits over a count of unfinished rows. */
export function createCallerLimits({
  counts,
  store,
  clock,
}: {
  counts: Pick<Census, 'unfinishedOf'>;
  store: Pick<RunStore, 'countedRuns'>;
  clock: Pick<Clock, 'now'>;
}): CallerLimitKeeper {
  /** Runs being written, by lineage: how many requests write each. None is empty, and no run has no request. */
  const writing = new Map<string, Map<string | symbol, number>>();

  function leave(lineage: string, run: string | symbol): void {
    const entered = writing.get(lineage);
    const left = (entered?.get(run) ?? 0) - 1;
    if (left > 0) entered?.set(run, left);
    else entered?.delete(run);
    if (entered?.size === 0) writing.delete(lineage);
  }

  return {
    enter({ lineage, limits: { concurrentRuns } }, claim) {
      if (concurrentRuns === null) return NO_ENTRY;
      const run = claim === null ? Symbol('a run of its own') : JSON.stringify([claim.subject, claim.key]);
      const entered = writing.get(lineage) ?? new Map<string | symbol, number>();
      const copies = entered.get(run) ?? 0;
      const others = counts.unfinishedOf(lineage) + entered.size;
      if (copies === 0 && others >= concurrentRuns) throw tooMany(concurrentRuns);
      writing.set(lineage, entered.set(run, copies + 1));
      let inside = true;
      return {
        leave() {
          if (inside) leave(lineage, run);
          inside = false;
        },
      };
    },
    quotaOf({ limits: { runsPerDay } }) {
      return runsPerDay === null ? null : { day: dayOf(clock.now()), runsMax: runsPerDay };
    },
    overQuota({ day, runsMax }) {
      // By the day that was counted on: it may be over since.
      const retryAfterS = Math.max(1, Math.ceil((Date.parse(day) + DAY_MS - clock.now()) / 1000));
      const message = `This key may begin ${counted(runsMax, 'run')} a day of UTC, and has done so today.`;
      return new GatewayError('quota_exceeded', { message, retryAfterS });
    },
    async usedBy(caller) {
      const { lineage, limits } = caller;
      const { runsPerDay } = limits;
      const token = tokenQuotaOf(caller);
      const counted =
        runsPerDay === null && token === null
          ? null
          : await store.countedRuns({ lineage, day: dayOf(clock.now()), tokenId: token?.id ?? null });
      return {
        unfinishedRuns: counts.unfinishedOf(lineage),
        runsToday: runsPerDay === null ? null : (counted?.ofDay ?? 0),
        tokenRuns: token === null ? null : (counted?.ofToken ?? 0),
      };
    },
    overTokenQuota({ runsMax, expiresAt }) {
      const message = `This token may begin ${counted(runsMax, 'run')}, and has done so; get a new one.`;
      // With this token it never succeeds again; when it has ended there must be another one anyway.
      const retryAfterS = Math.max(1, Math.ceil((expiresAt - clock.now()) / 1000));
      return new GatewayError('quota_exceeded', { message, retryAfterS, retryable: false });
    },
  };
}

/**
 * What the store counts a token's new run against; null: nothing. A run keeps its place in the count even where it
 * provably never began: the count bounds what a browser can set off, and one that could fail its starts over and over would
 * set off as many vendor calls as it likes.
 */
export function tokenQuotaOf({ token }: Caller): TokenQuota | null {
  if (token === null || token.runsMax === null) return null;
  return { id: token.id, runsMax: token.runsMax, expiresAt: token.expiresAt };
}

function tooMany(runsMax: number): GatewayError {
  const message = `This key may have ${counted(runsMax, 'unfinished run')} at once; wait for one of them to end.`;
  return new GatewayError('concurrency_limited', { message, retryAfterS: RETRY_CONCURRENCY_S });
}

/** `2027-03-01`, of UTC. */
function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

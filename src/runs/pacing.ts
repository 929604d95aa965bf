import type { Clock } from '../core/clock.ts';
import type { Provider } from '../providers/registry.ts';
import type { RateLimitSeen } from './model.ts';
import type { CountedStart } from './ports.ts';
import { PacingLanes, type PacingLane } from './pacing-lanes.ts';
import { isBound, placesLeft, slotInMs, slotsLeft } from './start-limits.ts';
import { ToldAllowance } from './told-allowance.ts';

/** Where a start would go. */
export interface PacedTarget {
  provider: Pick<Provider, 'name' | 'limits'>;
  credentialId: string;
  /** Where the run is among the busy ones already: it does not stand in its own way. */
  from?: { provider: string; credentialId: string | null } | null;
}

/**
 * What the configuration's limits and the vendor's own words leave for starts. Requests a minute: never more in any 60 s.
 * Concurrency: runs begun and neither ended nor waiting, plus those about to be written.
 */
export interface Pacing {
  /** Milliseconds until this start may leave; 0: now; null: when another run there ends. */
  waitMs(target: PacedTarget): number | null;
  /**
   * The same once so many others have left before it, as far as can be foreseen; null: nobody knows. Those others use
   * `sharedBy` credentials (1, where it is not given) by turns, this one among them.
   */
  waitBehindMs(target: PacedTarget, ahead: number, sharedBy?: number): number | null;
  /** How many starts may leave now at most, whichever of these credentials they use; without any credential: 0. */
  room(provider: PacedTarget['provider'], credentialIds: readonly string[]): number;
  /** A start leaves: counted from now on. */
  take(target: PacedTarget): PacingSlot;
  /** What a vendor's answer said of its limit. */
  told(target: { provider: string; credentialId: string }, seen: RateLimitSeen): void;
  /** Starts of the last minute, of before this process. */
  remember(starts: readonly CountedStart[]): void;
  /** What vendors last said is left. */
  allowances(): { provider: string; credentialId: string; remaining: number }[];
}

export interface PacingSlot {
  /** To be written with the attempt; null: this provider's starts are not counted. */
  counted: CountedStart | null;
  /** The run is written, and counted as begun elsewhere; or it was not sent. A second time does nothing. */
  release(): void;
  /** It was not even written, so that it provably has not left and does not count. After `release` it does nothing. */
  undo(): void;
}

/** How many runs are begun and neither ended nor waiting. */
export interface BusyCounts {
  busyAt(provider: string): number;
  busyWith(provider: string, credentialId: string): number;
}

const UNCOUNTED: PacingSlot = { counted: null, release() {}, undo() {} };

/** Of a provider without limits, whose vendor says nothing of its own, nothing is kept. */
export function createPacing({
  clock,
  counts,
}: {
  clock: Pick<Clock, 'now' | 'monotonic'>;
  counts: BusyCounts;
}): Pacing {
  const lanes = new PacingLanes(clock);

  function waitBehindMs({ provider, credentialId, from }: PacedTarget, ahead: number, sharedBy = 1): number | null {
    const { name, limits } = provider;
    const ownAt = from?.provider === name ? 1 : 0;
    const ownWith = ownAt === 1 && from?.credentialId === credentialId ? 1 : 0;
    const all = lanes.ofProvider(name);
    const own = lanes.ofCredential(name, credentialId);
    const aheadHere = Math.floor(ahead / Math.max(1, sharedBy));
    if (placesLeft(limits, all, () => counts.busyAt(name) - ownAt) <= ahead) return null;
    const busyWith = () => counts.busyWith(name, credentialId) - ownWith;
    if (placesLeft(limits.perCredential, own, busyWith) <= aheadHere) return null;
    if (!isLimited(limits) && !own) return 0;
    const nowMs = clock.monotonic();
    return Math.max(
      slotInMs(limits, all, { ahead, nowMs }),
      slotInMs(limits.perCredential, own, { ahead: aheadHere, nowMs }),
      own?.allowance?.waitBehindMs(aheadHere) ?? 0,
    );
  }

  function room({ name, limits }: PacedTarget['provider'], credentialIds: readonly string[]): number {
    const nowMs = clock.monotonic();
    let sum = 0;
    for (const credentialId of credentialIds) {
      const own = lanes.ofCredential(name, credentialId);
      sum += Math.min(
        placesLeft(limits.perCredential, own, () => counts.busyWith(name, credentialId)),
        slotsLeft(limits.perCredential, own, nowMs),
        own?.allowance?.left() ?? Infinity,
      );
    }
    const all = lanes.ofProvider(name);
    return Math.min(
      sum,
      placesLeft(limits, all, () => counts.busyAt(name)),
      slotsLeft(limits, all, nowMs),
    );
  }

  function take({ provider: { name, limits }, credentialId }: PacedTarget): PacingSlot {
    const untake = lanes.ofCredential(name, credentialId)?.allowance?.took() ?? null;
    if (!isLimited(limits) && untake === null) return UNCOUNTED;
    const nowMs = clock.monotonic();
    const taken: PacingLane[] = [];
    if (isBound(limits)) taken.push(lanes.enterProvider(name, limits, nowMs));
    if (isBound(limits.perCredential)) {
      taken.push(lanes.enterCredential({ provider: name, credentialId }, limits.perCredential, nowMs));
    }
    const isCounted = limits.requestsPerMinute !== null || limits.perCredential.requestsPerMinute !== null;
    const counted = isCounted ? { provider: name, credentialId, at: clock.now() } : null;
    return slot(counted, { lanes: taken, atMs: nowMs, untake });
  }

  return {
    waitMs: (target) => waitBehindMs(target, 0),
    waitBehindMs,
    room,
    take,
    told({ provider, credentialId }, seen) {
      if (seen.remaining === null) return;
      const lane = lanes.addCredential(provider, credentialId);
      lane.allowance ??= new ToldAllowance(clock);
      lane.allowance.told(seen);
    },
    remember: (starts) => lanes.remember(starts),
    allowances: () => lanes.allowances(),
  };
}

function slot(
  counted: CountedStart | null,
  { lanes, atMs, untake }: { lanes: readonly PacingLane[]; atMs: number; untake: (() => void) | null },
): PacingSlot {
  let reserved = true;
  const release = () => {
    if (reserved) for (const lane of lanes) lane.reserved--;
    reserved = false;
  };
  return {
    counted,
    release,
    undo() {
      if (!reserved) return;
      for (const lane of lanes) lane.starts.remove(atMs);
      untake?.();
      release();
    },
  };
}

function isLimited(limits: Provider['limits']): boolean {
  return isBound(limits) || isBound(limits.perCredential);
}

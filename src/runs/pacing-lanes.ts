import type { Clock } from '../core/clock.ts';
import type { StartLimits } from '../providers/registry.ts';
import { ByCredential } from './by-credential.ts';
import type { CountedStart } from './ports.ts';
import { COUNTED_START_MS } from './start-limits.ts';
import { StartLog } from './start-log.ts';
import { createSweepPlan } from './sweep-plan.ts';
import type { ToldAllowance } from './told-allowance.ts';

/** What is known of the starts of a provider, or of one of its credentials. */
export interface PacingLane {
  readonly starts: StartLog;
  /** Starts taken, and not yet among the busy runs. */
  reserved: number;
  /** Credentials only. */
  allowance: ToldAllowance | null;
}

/** Starts of before this process, of one provider or credential. */
const REMEMBERED_MAX = 1_000_000;

/** A lane for each provider and each credential; those with nothing to remember are swept away when there are many. */
export class PacingLanes {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly #providers = new Map<string, PacingLane>();
  readonly #credentials = new ByCredential<PacingLane>();
  readonly #plan = createSweepPlan();

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#providers.size + this.#credentials.size;
  }

  ofProvider(provider: string): PacingLane | undefined {
    return this.#providers.get(provider);
  }

  ofCredential(provider: string, credentialId: string): PacingLane | undefined {
    return this.#credentials.get(provider, credentialId);
  }

  /** The caller fills it at once: an empty one is swept away sooner or later. */
  addCredential(provider: string, credentialId: string): PacingLane {
    const known = this.#credentials.get(provider, credentialId);
    if (known) return known;
    this.#sweepIfMany();
    const lane = newLane();
    this.#credentials.set(provider, credentialId, lane);
    return lane;
  }

  enterProvider(provider: string, limits: StartLimits, nowMs: number): PacingLane {
    return enter(this.#addProvider(provider), limits, nowMs);
  }

  enterCredential(
    { provider, credentialId }: { provider: string; credentialId: string },
    limits: StartLimits,
    nowMs: number,
  ): PacingLane {
    return enter(this.addCredential(provider, credentialId), limits, nowMs);
  }

  remember(starts: readonly CountedStart[]): void {
    const nowMs = this.#clock.monotonic();
    const wallMs = this.#clock.now();
    const byProvider = new Map<string, number[]>();
    const byCredential = new ByCredential<number[]>();
    for (const { provider, credentialId, at } of starts) {
      // A wall clock that was set back makes them look as if they were still to come: they have just left.
      const agoMs = Math.max(0, wallMs - at);
      if (agoMs >= COUNTED_START_MS) continue;
      const all = byProvider.get(provider) ?? [];
      const own = byCredential.get(provider, credentialId) ?? [];
      all.push(nowMs - agoMs);
      own.push(nowMs - agoMs);
      byProvider.set(provider, all);
      byCredential.set(provider, credentialId, own);
    }
    for (const [provider, times] of byProvider) this.#addProvider(provider).starts.merge(times.slice(-REMEMBERED_MAX));
    for (const { provider, credentialId, value: times } of byCredential.entries()) {
      this.addCredential(provider, credentialId).starts.merge(times.slice(-REMEMBERED_MAX));
    }
  }

  allowances(): { provider: string; credentialId: string; remaining: number }[] {
    return Array.from(this.#credentials.entries()).flatMap(({ provider, credentialId, value: { allowance } }) => {
      const remaining = allowance?.remaining() ?? null;
      return remaining === null ? [] : [{ provider, credentialId, remaining }];
    });
  }

  #addProvider(provider: string): PacingLane {
    const known = this.#providers.get(provider);
    if (known) return known;
    this.#sweepIfMany();
    const lane = newLane();
    this.#providers.set(provider, lane);
    return lane;
  }

  #sweepIfMany(): void {
    if (!this.#plan.isDue(this.size)) return;
    const untilMs = this.#clock.monotonic() - COUNTED_START_MS;
    for (const [provider, lane] of this.#providers) if (isIdle(lane, untilMs)) this.#providers.delete(provider);
    for (const { provider, credentialId, value: lane } of this.#credentials.entries()) {
      if (isIdle(lane, untilMs)) this.#credentials.delete(provider, credentialId);
    }
    this.#plan.swept(this.size);
  }
}

function newLane(): PacingLane {
  return { starts: new StartLog(), reserved: 0, allowance: null };
}

function enter(lane: PacingLane, { requestsPerMinute }: StartLimits, nowMs: number): PacingLane {
  lane.reserved++;
  if (requestsPerMinute !== null) lane.starts.push(nowMs, requestsPerMinute);
  return lane;
}

function isIdle(lane: PacingLane, untilMs: number): boolean {
  lane.starts.forgetUntil(untilMs);
  return lane.starts.size === 0 && lane.reserved === 0 && (lane.allowance?.isOver() ?? true);
}

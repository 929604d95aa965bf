import type { Clock } from '../core/clock.ts';
import { Breaker } from './breaker.ts';
import { ByCredential } from './by-credential.ts';
import type { BreakerLimits } from './limits.ts';
import { createSweepPlan } from './sweep-plan.ts';

/** `half_open`: one start is let through, to see. */
export type BreakerState = 'closed' | 'open' | 'half_open';

/** One for each credential of a provider: a start says how it went, and is held back while too many went wrong. */
export interface Breakers {
  /** Milliseconds until a start may leave; 0: now. Takes nothing. */
  retryAfterMs(provider: string, credentialId: string): number;
  /** A start leaves. Where the breaker is half open, this is its one probe. */
  enter(provider: string, credentialId: string): BreakerTicket;
  /** Of all that are not closed, or were used lately. */
  states(): { provider: string; credentialId: string; state: BreakerState }[];
  /** The worst of a provider's. */
  worstOf(provider: string): BreakerState;
}

/** Exactly one of the three is called, once; more calls do nothing. */
export interface BreakerTicket {
  /** The vendor answered like one that works, refusals of this request in. */
  succeeded(): void;
  failed(): void;
  /** Nothing was learnt of the vendor. */
  dropped(): void;
}

const WORST_FIRST = ['open', 'half_open', 'closed'] as const satisfies readonly BreakerState[];
/** One that is not closed, and that nobody has asked for so long, belongs to a credential that is no longer used. */
const FORGOTTEN_AFTER_MS = 3_600_000;

/**
 * Closed ones without a call in the window are forgotten, since they know nothing. `onChange` hears of each change once
 * it is made, in the turn of the call that made it; a breaker that is forgotten while not closed says `closed`.
 */
export function createBreakers({
  clock,
  limits,
  onChange,
}: {
  clock: Pick<Clock, 'monotonic'>;
  limits: BreakerLimits;
  onChange: (provider: string, credentialId: string, state: BreakerState) => void;
}): Breakers {
  const breakers = new ByCredential<Breaker>();
  const plan = createSweepPlan();

  function sweep(): void {
    for (const { provider, credentialId, value: breaker } of breakers.entries()) {
      const isClosed = breaker.state() === 'closed';
      if (breaker.idleMs() < (isClosed ? limits.windowMs : FORGOTTEN_AFTER_MS)) continue;
      breakers.delete(provider, credentialId);
      if (!isClosed) onChange(provider, credentialId, 'closed');
    }
    plan.swept(breakers.size);
  }

  function add(provider: string, credentialId: string): Breaker {
    if (plan.isDue(breakers.size)) sweep();
    const breaker = new Breaker(clock, limits, (state) => onChange(provider, credentialId, state));
    breakers.set(provider, credentialId, breaker);
    return breaker;
  }

  function states() {
    sweep();
    return Array.from(breakers.entries(), ({ provider, credentialId, value }) => ({
      provider,
      credentialId,
      state: value.state(),
    }));
  }

  return {
    retryAfterMs: (provider, credentialId) => breakers.get(provider, credentialId)?.retryAfterMs() ?? 0,
    enter: (provider, credentialId) => (breakers.get(provider, credentialId) ?? add(provider, credentialId)).enter(),
    states,
    worstOf(provider) {
      const found = new Set(states().flatMap((breaker) => (breaker.provider === provider ? breaker.state : [])));
      return WORST_FIRST.find((state) => found.has(state)) ?? 'closed';
    },
  };
}

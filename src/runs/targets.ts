import type { Clock } from '../core/clock.ts';
import { errorBodyOf, GatewayError, type ErrorBody } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { Provider } from '../providers/registry.ts';
import type { Breakers } from './breakers.ts';
import { byWeight } from './by-weight.ts';
import type { Run } from './model.ts';
import type { PacedTarget, Pacing } from './pacing.ts';
import type { CredentialSource, PooledCredential } from './ports.ts';
import { takeSlot, type StartSlot } from './start-slot.ts';

/**
 * Where the next start of a provider may leave from: which of its credentials, now, later or not at all.
 *
 *   credentials that may be used (not set aside, not resting, not tried before by this run)
 *     -> those whose breaker lets a start through
 *     -> those whose allowance has room: one of them by weight and chance
 *
 * What each start comes to is told back here, so that the next one knows.
 */
export interface Targets {
  /**
   * Reads the provider's credentials; from then on everything is decided at once. `begun`: the run that looks for a place,
   * where it takes up one already.
   */
  open(provider: TargetProvider, begun?: BegunRun): Promise<OpenTarget>;
}

export type BegunRun = Pick<Run, 'status' | 'provider' | 'credentialId'>;

export type TargetProvider = Pick<Provider, 'name' | 'baseUrl' | 'credentials' | 'limits' | 'kind'>;

export interface OpenTarget {
  /** `tried`: credentials that this run has been refused with; `only`: the one that has to be used. */
  choose(tried?: ReadonlySet<string>, only?: string | null): Choice;
  /** Where there are several credentials, and the vendor has refused every one of them. */
  exhausted(): ErrorBody | null;
  /** How many starts may leave now at most. */
  room(): number;
  /** Milliseconds until a start may leave once so many others have; null: nobody knows. */
  waitBehindMs(ahead: number): number | null;
  /** The credential that a run in the queue is written with; another may start it. Null: there is none. */
  usual(): SealedCredential | null;
}

export type Choice =
  /** To be taken before anything is awaited. */
  | { is: 'go'; credential: SealedCredential; take(): StartSlot }
  /** Its allowance is used up; null: until another run there ends. */
  | { is: 'wait'; waitMs: number | null }
  /** Nothing can be sent: `retryInMs` tells when that changes by itself, null: not at all. */
  | { is: 'refused'; error: GatewayError; retryInMs: number | null };

export interface TargetsParts {
  credentials: CredentialSource;
  breakers: Breakers;
  pacing: Pacing;
  clock: Pick<Clock, 'now'>;
  random: Random;
}

export function createTargets(parts: TargetsParts): Targets {
  return {
    async open(provider, begun) {
      const pool = await parts.credentials.pool(provider);
      return new OpenPool(parts, { provider, pool, from: begun && begun.status !== 'queued' ? begun : null });
    },
  };
}

/** A class, because one is made for every run. */
class OpenPool implements OpenTarget {
  readonly #parts: TargetsParts;
  readonly #pooled: Pooled;

  constructor(parts: TargetsParts, pooled: Pooled) {
    this.#parts = parts;
    this.#pooled = pooled;
  }

  choose(tried?: ReadonlySet<string>, only?: string | null): Choice {
    return choose(this.#parts, this.#pooled, tried, only);
  }

  exhausted(): ErrorBody | null {
    const { provider, pool } = this.#pooled;
    return isExhausted(pool) ? errorBodyOf(exhausted(provider)) : null;
  }

  room(): number {
    return roomOf(this.#parts, this.#pooled);
  }

  waitBehindMs(ahead: number): number | null {
    return waitBehindMs(this.#parts, this.#pooled, ahead);
  }

  usual(): SealedCredential | null {
    const { pool } = this.#pooled;
    return (usable(pool)[0] ?? pool[0])?.credential ?? null;
  }
}

interface Pooled {
  provider: TargetProvider;
  pool: readonly PooledCredential[];
  from: NonNullable<PacedTarget['from']> | null;
}

const NOTHING_TRIED: ReadonlySet<string> = new Set();

function choose(
  parts: TargetsParts,
  { provider, pool, from }: Pooled,
  tried = NOTHING_TRIED,
  only: string | null = null,
): Choice {
  const { breakers, pacing } = parts;
  const isMeant = ({ credential: { id } }: PooledCredential) => !tried.has(id) && (only === null || only === id);
  const untried = tried.size === 0 && only === null ? usable(pool) : usable(pool).filter(isMeant);
  if (untried.length === 0) return refuseAll(parts, { provider, pool, from });
  const waitMs = ({ credential }: PooledCredential) => pacing.waitMs({ ...to(provider, credential), from });
  const [first] = untried;
  // Most providers have one credential, which nothing holds back.
  if (untried.length === 1 && first && breakers.retryAfterMs(provider.name, first.credential.id) === 0) {
    const ms = waitMs(first);
    return ms === 0 ? goWith(parts, provider, first) : { is: 'wait', waitMs: ms };
  }
  const breakerMs = untried.map(({ credential }) => breakers.retryAfterMs(provider.name, credential.id));
  const closed = untried.filter((_, i) => breakerMs[i] === 0);
  if (closed.length === 0) return refuseOpen(provider, Math.min(...breakerMs));
  const [free, ...others] = closed.filter((pooled) => waitMs(pooled) === 0);
  if (free === undefined) return { is: 'wait', waitMs: soonest(closed, waitMs) };
  return goWith(parts, provider, others.length === 0 ? free : byWeight([free, ...others], parts.random.float()));
}

function goWith(parts: TargetsParts, provider: TargetProvider, { credential }: PooledCredential): Choice {
  return { is: 'go', credential, take: () => takeSlot(parts, to(provider, credential)) };
}

function roomOf(parts: TargetsParts, pooled: Pooled): number {
  const { provider, pool } = pooled;
  const ids = usable(pool).map(({ credential }) => credential.id);
  const closed = ids.filter((id) => parts.breakers.retryAfterMs(provider.name, id) === 0);
  if (closed.length > 0) return parts.pacing.room(provider, closed);
  // What does not come back by itself is told to every run that waits for it.
  const choice = choose(parts, pooled);
  return choice.is === 'refused' && choice.retryInMs === null ? Infinity : 0;
}

/** Those ahead share the credentials that may be used. */
function waitBehindMs({ pacing }: TargetsParts, { provider, pool }: Pooled, ahead: number): number | null {
  const shared = usable(pool);
  return soonest(shared, ({ credential }) => pacing.waitBehindMs(to(provider, credential), ahead, shared.length));
}

/** A provider's only credential is tried even when it is set aside: its refusal says more than ours would. */
function usable(pool: readonly PooledCredential[]): readonly PooledCredential[] {
  if (pool.length === 1 && pool[0]?.state.is === 'set_aside') return pool;
  // Nearly always all of them are.
  return pool.every(isUsable) ? pool : pool.filter(isUsable);
}

function isUsable({ state }: PooledCredential): boolean {
  return state.is === 'usable';
}

function refuseAll({ clock }: TargetsParts, { provider, pool }: Pooled): Choice {
  const { name, kind } = provider;
  if (pool.length === 0) return { is: 'refused', error: noCredential(provider), retryInMs: null };
  const rests = pool.flatMap(({ state }) => (state.is === 'resting' ? [state.until] : []));
  if (rests.length === 0) {
    return { is: 'refused', error: exhausted(provider), retryInMs: null };
  }
  const retryInMs = Math.max(0, Math.min(...rests) - clock.now());
  const message = `${kind.title} is limiting every credential of ${name}; nothing was sent.`;
  return { is: 'refused', error: heldBack('upstream_rate_limited', { name, message, retryInMs }), retryInMs };
}

/** Callers read the message: it names no reference, which may be a path. */
function noCredential({ name, kind, credentials }: TargetProvider): GatewayError {
  const help =
    credentials.length > 0
      ? `those that the configuration names for ${name} are not set; the operator sees which with \`rungate credentials list\``
      : `the operator adds one with \`rungate credentials add ${name} --stdin\``;
  const message = `${kind.title} has no credential: ${help}.`;
  return new GatewayError('no_credential', { provider: name, message, retryAfterS: 60 });
}

function isExhausted(pool: readonly PooledCredential[]): boolean {
  return pool.length > 1 && pool.every(({ state }) => state.is === 'set_aside');
}

function exhausted({ name, kind }: TargetProvider): GatewayError {
  const message = `${kind.title} has refused every credential of ${name}; the operator looks at them with \`rungate credentials list\`.`;
  return new GatewayError('credentials_exhausted', { provider: name, message });
}

function refuseOpen({ name, kind }: TargetProvider, retryInMs: number): Choice {
  const message = `${kind.title} has been failing, so nothing is sent there for now.`;
  return { is: 'refused', error: heldBack('upstream_unavailable', { name, message, retryInMs }), retryInMs };
}

/** An error that a vendor's answer usually means, said by us instead of asking: nothing was sent. */
export function heldBack(
  code: 'upstream_rate_limited' | 'upstream_unavailable',
  { name, message, retryInMs }: { name: string; message: string; retryInMs: number },
): GatewayError {
  const retryAfterS = Math.max(1, Math.ceil(retryInMs / 1000));
  return new GatewayError(code, { provider: name, message, source: 'gateway', retryable: true, retryAfterS });
}

function to(provider: TargetProvider, credential: SealedCredential) {
  return { provider, credentialId: credential.id };
}

/** The smallest of what is known; null: nothing is. */
function soonest(
  pool: readonly PooledCredential[],
  waitMs: (pooled: PooledCredential) => number | null,
): number | null {
  const known = pool.map(waitMs).filter((ms) => ms !== null);
  return known.length === 0 ? null : Math.min(...known);
}

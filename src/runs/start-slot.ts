import type { Clock } from '../core/clock.ts';
import type { ErrorCode } from '../core/error-catalogue.ts';
import type { ErrorBody } from '../core/errors.ts';
import { REST_MS_MAX, type CredentialState } from '../vault/credential-state.ts';
import type { Breakers, BreakerTicket } from './breakers.ts';
import type { RateLimitSeen } from './model.ts';
import type { PacedTarget, Pacing } from './pacing.ts';
import type { CountedStart, CredentialSource } from './ports.ts';

/** One start that leaves. Exactly one of `learn` and `drop` ends it; more calls do nothing. */
export interface StartSlot {
  /** To be written with the attempt. */
  readonly counted: CountedStart | null;
  /** The attempt is on disk. */
  written(): void;
  /** What the vendor's answer, or its absence, says of the vendor and of the credential. */
  learn(lesson: Lesson): void;
  /** It was not sent, or says nothing. */
  drop(): void;
}

export interface Lesson {
  /** The error that the start amounts to; null: the vendor took it. */
  error: Pick<ErrorBody, 'code' | 'retry_after_s'> | null;
  rateLimit: RateLimitSeen | null;
  /** The vendor has refused a token of its own, which says nothing of the credential that had bought it. */
  isOfToken?: boolean;
}

export interface StartSlotParts {
  credentials: Pick<CredentialSource, 'mark'>;
  breakers: Breakers;
  pacing: Pacing;
  clock: Pick<Clock, 'now'>;
}

/** After a 429 that does not say when. */
const REST_MS = 10_000;

/** Errors that say that the vendor does not work, whatever was asked of it. */
const VENDOR_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream_unreachable',
  'upstream_timeout',
  'upstream_error',
  'upstream_unavailable',
  'upstream_invalid_response',
  'outcome_unknown',
]);

/** Takes what a start leaves with: its place in the limits, and in the breaker. */
export function takeSlot(parts: StartSlotParts, target: PacedTarget): StartSlot {
  const { provider, credentialId } = target;
  const { breakers, pacing, credentials, clock } = parts;
  const paced = pacing.take(target);
  const ticket = breakers.enter(provider.name, credentialId);
  let open = true;
  return {
    counted: paced.counted,
    written: () => paced.release(),
    learn({ error, rateLimit, isOfToken = false }) {
      if (!open) return;
      open = false;
      paced.release();
      teach(ticket, error?.code ?? null);
      if (rateLimit) pacing.told({ provider: provider.name, credentialId }, rateLimit);
      const state = isOfToken ? null : stateAfter(error, rateLimit, clock.now());
      if (state) credentials.mark(provider.name, credentialId, state);
    },
    drop() {
      if (!open) return;
      open = false;
      paced.undo();
      ticket.dropped();
    },
  };
}

function teach(ticket: BreakerTicket, code: ErrorCode | null): void {
  if (code !== null && VENDOR_FAULTS.has(code)) ticket.failed();
  else if (code === null || code.startsWith('upstream_')) ticket.succeeded();
  else ticket.dropped();
}

/** What an answer says of the credential; null: nothing. */
function stateAfter(error: Lesson['error'], rateLimit: RateLimitSeen | null, nowMs: number): CredentialState | null {
  if (error === null) return { is: 'usable' };
  const { code, retry_after_s: retryAfterS } = error;
  if (code === 'upstream_auth_failed' || code === 'upstream_payment_required') {
    return { is: 'set_aside', code, at: nowMs };
  }
  if (code !== 'upstream_rate_limited' && code !== 'upstream_quota_exhausted') return null;
  const told = retryAfterS === null ? (rateLimit?.reset ?? null) : nowMs + retryAfterS * 1000;
  const until = told === null || told <= nowMs ? nowMs + REST_MS : Math.min(told, nowMs + REST_MS_MAX);
  return { is: 'resting', until };
}

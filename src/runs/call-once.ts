import type { Clock } from '../core/clock.ts';
import { errorBodyOf, GatewayError, type ErrorBody } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { OutboundError, type OutboundAnswer } from '../core/outbound.ts';
import type { AnyProviderKind, Operation } from '../providers/define-provider.ts';
import { rateLimitHeaders, rateLimitSeen, readAnswer, vendorError, type Reading } from './answers.ts';
import type { OpenFlight } from './flights.ts';
import type { RateLimitSeen, Run } from './model.ts';

/** Why a call in flight was given up. */
export type AbortReason = 'deadline' | 'cancelled' | 'drain';

/** How a call that must not be repeated ended, before it is decided what the run makes of it. */
export type OnceResult =
  /** `byToken`: the call showed a token that the credential had just bought, and not the credential. */
  | { is: 'answered'; reading: Reading; answer: OutboundAnswer; rateLimit: RateLimitSeen | null; byToken?: boolean }
  /** No byte left, or nothing began; `attemptError`: what the last attempt came to, where the run ends with another error. */
  | { is: 'not_sent'; error: ErrorBody; attemptError?: ErrorBody }
  | { is: 'unknown'; cause: 'outcome_unknown' | 'upstream_timeout' }
  /** The vendor took the start, and we turned away from its stream: a poll knows more, or nobody takes what it says. */
  | { is: 'left'; rateLimit: RateLimitSeen | null }
  /** Our heartbeat was too old: others may take us for dead, so nothing was sent. */
  | { is: 'held_back' }
  | { is: 'aborted'; reason: AbortReason; sent: boolean };

/** Makes the call and says how it ended; rejects only where we have made a mistake. */
export async function callOnce(
  { heartbeatIsYoung, log, clock }: { heartbeatIsYoung: () => boolean; log: Log; clock: Pick<Clock, 'now'> },
  { run, kind, operation }: { run: Run; kind: AnyProviderKind; operation: 'start' | 'resume' },
  flight: OpenFlight,
  send: (signal: AbortSignal) => Promise<OutboundAnswer>,
): Promise<OnceResult> {
  const { signal } = flight;
  try {
    if (!heartbeatIsYoung()) return { is: 'held_back' };
    flight.asks();
    const answer = await send(signal);
    flight.heard();
    flight.vendorHeaders = rateLimitHeaders(answer);
    const reading = readAnswer(kind[operation] as Operation<never>, answer);
    logUnreadable(log, run, { operation, answer, reading });
    if (reading.is === 'broken' && signal.aborted) {
      return { is: 'aborted', reason: signal.reason as AbortReason, sent: true };
    }
    return { is: 'answered', answer, reading, rateLimit: rateLimitSeen(kind, answer, clock.now()) };
  } catch (cause) {
    flight.heard();
    if (!signal.aborted) logFailure(log, run, { operation, cause });
    return failedOnce(kind, run, { cause, signal });
  }
}

/** What a call that brought no answer amounts to. Throws what is no failure of a call. */
export function failedOnce(
  kind: AnyProviderKind,
  run: Run,
  { cause, signal }: { cause: unknown; signal: AbortSignal },
): OnceResult {
  if (cause instanceof GatewayError) return { is: 'not_sent', error: errorBodyOf(cause, { provider: run.provider }) };
  if (!(cause instanceof OutboundError)) throw cause;
  if (signal.aborted) return { is: 'aborted', reason: signal.reason as AbortReason, sent: cause.sent };
  if (cause.failure === 'held_back') return { is: 'held_back' };
  if (cause.sent) {
    return { is: 'unknown', cause: cause.failure === 'headers_timeout' ? 'upstream_timeout' : 'outcome_unknown' };
  }
  const plain = vendorError('upstream_unreachable', kind, run.provider);
  if (cause.failure !== 'forbidden_address') return { is: 'not_sent', error: plain };
  const message = `The address of ${run.provider} is private; the operator allows it with allow_private_network.`;
  return { is: 'not_sent', error: { ...plain, message } };
}

/** Else a word that the vendor has added since would let every run time out, or fail, and nobody could tell why. */
export function logUnreadable(
  log: Log,
  run: Run,
  { operation, answer, reading }: { operation: string; answer: OutboundAnswer; reading: Reading },
): void {
  if (reading.is !== 'unreadable') return;
  const about = { run_id: run.id, provider: run.provider, operation, status: answer.status, reason: reading.reason };
  log.warn(about, 'an answer of the vendor was not understood');
}

/** What the network, the guard or the vault had to say is for the operator; callers get the catalogue's words. */
export function logFailure(log: Log, run: Run, { operation, cause }: { operation: string; cause: unknown }): void {
  const { failure = null, sent = false } = cause instanceof OutboundError ? cause : {};
  // The store's trouble, which is logged as such, not the vendor's.
  if (failure === 'held_back') return;
  log.warn(
    { run_id: run.id, provider: run.provider, credential: run.credentialId, operation, failure, sent, err: cause },
    'a call to the vendor failed',
  );
}

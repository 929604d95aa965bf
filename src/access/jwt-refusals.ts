import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { JoseErrors } from './load-jose.ts';

/** Why a JWT is refused, for operators alone: whoever sent it is told nothing that helps to guess. */
export class RefusedJwtError extends Error {
  override readonly name = 'RefusedJwtError';
  readonly reason: string;

  constructor(reason: string) {
    super(`refused for its ${reason}`);
    this.reason = reason;
  }
}

/** Issuers come and go with reloads. */
const REMEMBERED_MAX = 1_000;
const TELL_AGAIN_MS = 60_000;

/** Tells why a JWT was refused; `issuer`: a configured one, null where it names none. */
export type TellRefusal = (issuer: string | null, reason: string) => void;

/**
 * Makes what tells the log why users' JWTs are refused: a line a minute for each issuer and reason, so that whoever sends
 * many fills nothing. No part of a JWT is in it.
 */
export function createJwtRefusals({ log, clock }: { log: Log; clock: Pick<Clock, 'monotonic'> }): TellRefusal {
  const toldAt = new Map<string, number>();
  return (issuer, reason) => {
    const name = JSON.stringify([issuer, reason]);
    const now = clock.monotonic();
    if (now - (toldAt.get(name) ?? -Infinity) < TELL_AGAIN_MS) return;
    if (toldAt.size >= REMEMBERED_MAX) toldAt.clear();
    toldAt.set(name, now);
    log.info({ issuer, reason }, 'a user’s JWT was refused');
  };
}

/** A word for what was wrong: the name of a claim or a header, or what jose calls it. */
export function jwtRefusalReason(error: unknown, errors: JoseErrors): string {
  if (error instanceof RefusedJwtError) return error.reason;
  if (error instanceof errors.JWTExpired) return 'exp';
  if (error instanceof errors.JWTClaimValidationFailed) return error.claim;
  if (error instanceof errors.JWKSNoMatchingKey) return 'kid';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'alg';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  return error instanceof errors.JOSEError ? error.code : 'key';
}

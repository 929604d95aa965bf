import { hash } from 'node:crypto';
import type { JWTPayload, JWTVerifyOptions, JWTVerifyResult } from 'jose';
import type { IssuerSettings } from '../core/access-settings.ts';
import type { Caller, CallerToken } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { ISO_TIME_MAX } from '../core/iso-time.ts';
import type { KeyVerifier } from './keys.ts';
import { createIssuerKeys, IssuerAwayError, type FindIssuerKey, type IssuerKeysParts } from './issuer-keys.ts';
import { createJwtRefusals, jwtRefusalReason, RefusedJwtError } from './jwt-refusals.ts';
import { loadJose, type JoseErrors } from './load-jose.ts';
import { expired, unauthorized } from './refusals.ts';
import { isSubject } from './token-limits.ts';
import { createVerifiedTokens, hasOneSpelling, type VerifiedTokens } from './verified-tokens.ts';

/*
 * A signed-in user's own JWT, of an issuer that the configuration names. It stands for the key that the configuration maps
 * the issuer to, narrowed to the user as subject and to registered workflows.
 *
 * Pinned by the configuration, never by the JWT: issuer, audience, algorithms, and where the keys come from (its headers
 * `jku`, `jwk` and `x5u` are not looked at).
 */

const LENGTH_MAX = 8_192;
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** What a JWT for a resource says it is, if anything; never a logout token or another's. */
const TYPES = new Set(['', 'jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']);
/** For clocks that differ. */
const TOLERANCE_S = 5;
/** An issuer that withdraws a key is to be heard. */
const KNOWN_FOR_MS = 60_000;
/** Of one key id there is one key; an issuer that has more gets this many tries. */
const CANDIDATES_MAX = 3;
const RETRY_AWAY_S = 5;
const WARN_AGAIN_MS = 60_000;

/** Who a JWT names. */
interface User {
  id: string;
  subject: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

export interface OidcVerifier {
  /**
   * Throws `unauthorized`; `vault_unavailable` while the issuer's keys cannot be had, which says nothing of the JWT; or
   * what the store throws.
   */
  verify(jwt: string): Promise<Caller>;
  /**
   * Whether the configuration still trusts the issuer of this token that `verify` made, as it did then. True for tokens that
   * it did not make.
   */
  isTrusted(token: CallerToken): boolean;
}

export interface OidcParts extends Omit<IssuerKeysParts, 'clock'> {
  /** As the configuration has them now. */
  issuers: () => readonly IssuerSettings[];
  keys: Pick<KeyVerifier, 'holder' | 'lineageOf'>;
  clock: Pick<Clock, 'now' | 'monotonic'>;
}

interface Trusted {
  issuer: IssuerSettings;
  findKey: FindIssuerKey;
  verified: VerifiedTokens<User>;
  warnedAt: number;
}

/** Makes what verifies users' own JWTs. */
export function createOidcVerifier(parts: OidcParts): OidcVerifier {
  const { keys, clock, log } = parts;
  let configured: readonly IssuerSettings[] = [];
  let trusted = new Map<string, Trusted>();
  /** By whom each token that somebody still holds was let in. */
  const letInBy = new WeakMap<CallerToken, Trusted>();
  const tellRefusal = createJwtRefusals({ log, clock });

  /** After a reload, an issuer whose settings are the same keeps what is known of it. */
  function trustedOf(name: string): Trusted | undefined {
    const now = parts.issuers();
    if (now !== configured) {
      configured = now;
      trusted = new Map(now.map((issuer) => [issuer.issuer, keptOrNew(trusted.get(issuer.issuer), issuer)]));
    }
    return trusted.get(name);
  }

  function keptOrNew(known: Trusted | undefined, issuer: IssuerSettings): Trusted {
    if (known && JSON.stringify(known.issuer) === JSON.stringify(issuer)) return known;
    const verified = createVerifiedTokens<User>();
    return { issuer, findKey: createIssuerKeys(issuer, parts), verified, warnedAt: -Infinity };
  }

  /** Runs belong to a line of keys and a user's name, and users of two issuers may have one name. */
  async function isShared(lineage: string, entry: Trusted): Promise<boolean> {
    for (const other of trusted.values()) {
      if (other !== entry && (await keys.lineageOf(other.issuer.keyId)) === lineage) return true;
    }
    return false;
  }

  async function holderOf(entry: Trusted): Promise<Caller> {
    const holder = await keys.holder(entry.issuer.keyId);
    if (holder?.role === 'runs' && !(await isShared(holder.lineage, entry))) return holder;
    const now = clock.monotonic();
    if (now - entry.warnedAt >= WARN_AGAIN_MS) {
      entry.warnedAt = now;
      const { issuer, keyId } = entry.issuer;
      log.warn(
        { issuer, key: keyId },
        'users refused: the key of their issuer is not there, not valid, not of role runs, or of one line with another issuer’s',
      );
    }
    throw unauthorized();
  }

  return {
    async verify(jwt) {
      const entry = isJwt(jwt) ? trustedOf(await issuerOf(jwt)) : undefined;
      if (entry === undefined) {
        tellRefusal(null, isJwt(jwt) ? 'iss' : 'form');
        throw unauthorized();
      }
      const now = clock.now();
      let user = entry.verified.get(jwt, now);
      if (user === null) {
        const { errors } = await loadJose();
        user = await readUser(jwt, entry, now).catch((error: unknown) => {
          if (!(error instanceof IssuerAwayError)) tellRefusal(entry.issuer.issuer, jwtRefusalReason(error, errors));
          throw refusalOf(error, errors);
        });
        entry.verified.put(jwt, user, Math.min(user.expiresAt, now + KNOWN_FOR_MS));
      }
      const { id, subject, expiresAt } = user;
      const token = { id, runsMax: null, expiresAt, origin: null };
      letInBy.set(token, entry);
      return { ...(await holderOf(entry)), subject, token };
    },
    isTrusted(token) {
      const entry = letInBy.get(token);
      return entry === undefined || trustedOf(entry.issuer.issuer) === entry;
    },
  };
}

/** By form alone. */
function isJwt(text: string): boolean {
  return text.length <= LENGTH_MAX && JWT.test(text) && hasOneSpelling(text.slice(text.lastIndexOf('.') + 1));
}

/** Whose it claims to be; nothing of it is proven. */
async function issuerOf(jwt: string): Promise<string> {
  const { decodeJwt } = await loadJose();
  try {
    return decodeJwt(jwt).iss ?? '';
  } catch {
    return '';
  }
}

/** Throws jose's errors, `RefusedJwtError`, or `IssuerAwayError`. */
async function readUser(jwt: string, { issuer, findKey }: Trusted, now: number): Promise<User> {
  const options: JWTVerifyOptions = {
    algorithms: [...issuer.algorithms],
    issuer: issuer.issuer,
    audience: issuer.audience,
    requiredClaims: ['exp'],
    clockTolerance: TOLERANCE_S,
    currentDate: new Date(now),
  };
  const { payload, protectedHeader } = await verifyWithEach(jwt, findKey, options);
  if (!TYPES.has((protectedHeader.typ ?? '').toLowerCase())) throw new RefusedJwtError('typ');
  return userOf(payload, jwt, issuer);
}

/** Tries the keys that share a name in turn. */
async function verifyWithEach(
  jwt: string,
  findKey: FindIssuerKey,
  options: JWTVerifyOptions,
): Promise<JWTVerifyResult> {
  const { jwtVerify, errors } = await loadJose();
  try {
    return await jwtVerify(jwt, findKey, options);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let tries = 0;
    for await (const key of error) {
      if (++tries > CANDIDATES_MAX) break;
      const result = await jwtVerify(jwt, key, options).catch((thrown: unknown) => passOver(thrown, errors));
      if (result !== null) return result;
    }
    throw new RefusedJwtError('signature');
  }
}

function passOver(error: unknown, errors: JoseErrors): null {
  if (error instanceof errors.JWSSignatureVerificationFailed) return null;
  throw error;
}

function userOf(payload: JWTPayload, jwt: string, { issuer, subjectClaim }: IssuerSettings): User {
  const subject = Object.hasOwn(payload, subjectClaim) ? payload[subjectClaim] : undefined;
  const { jti, exp } = payload;
  if (typeof subject !== 'string' || !isSubject(subject)) throw new RefusedJwtError(subjectClaim);
  if (typeof exp !== 'number') throw new RefusedJwtError('exp');
  const name = JSON.stringify([issuer, typeof jti === 'string' ? jti : jwt]);
  const expiresAt = (exp + TOLERANCE_S) * 1000;
  if (expiresAt > ISO_TIME_MAX) throw new RefusedJwtError('exp');
  return { id: `jwt_${hash('sha256', name, 'base64url')}`, subject, expiresAt };
}

/** Only a signature that is good earns a reason; what the store throws goes on as it is. */
function refusalOf(error: unknown, errors: JoseErrors): unknown {
  if (error instanceof errors.JWTExpired) return expired();
  if (error instanceof IssuerAwayError) {
    const message = 'The keys of this token’s issuer cannot be had now.';
    return new GatewayError('vault_unavailable', { message, retryAfterS: RETRY_AWAY_S });
  }
  // Whatever else jose throws of a key that its issuer wrote wrong is no fault of the user's, and no reason to let them in.
  return error instanceof GatewayError ? error : unauthorized();
}

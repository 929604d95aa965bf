import type { JSONWebKeySet, JWTVerifyGetKey, LocalJWKSet } from 'jose';
import type { IssuerSettings, JwtAlgorithm } from '../core/access-settings.ts';
import type { Clock } from '../core/clock.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import type { Log } from '../core/log.ts';
import { OutboundError, type DocumentReader } from '../core/outbound.ts';
import { loadJose } from './load-jose.ts';

/*
 * An issuer's public keys, fetched when the first of its JWTs comes.
 *
 *   none    -> a request waits for the fetch; where it fails, nothing is fetched for 2 s
 *   fresh   for 10 min
 *   stale   for a day: a request waits for the fetch, and where it fails they are used as they are, so that an issuer may
 *           be away; for 30 s after that nobody waits, and a fetch goes on beside the requests
 *   gone    after that: as none
 *
 * A key that is not among them is looked for by another fetch, at most every 10 s, so that made-up names cost nobody
 * anything. One fetch goes on at a time.
 */

const FRESH_MS = 600_000;
const USABLE_MS = 86_400_000;
const TRY_AGAIN_MS = 2_000;
const LOOK_AGAIN_MS = 10_000;
/** Longer than until the next fetch has failed too: of an issuer that stays away, only the first requests wait. */
const AWAY_MS = 30_000;
const TIMEOUT_MS = 5_000;
const DISCOVERY_BYTES_MAX = 65_536;
const KEYS_BYTES_MAX = 262_144;
const KEYS_MAX = 100;

/** What an algorithm's keys look like. */
const KEY_OF: Readonly<Record<JwtAlgorithm, { kty: string; crv?: string }>> = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
};

/** The issuer's keys cannot be had now; nothing is said of the JWT. */
export class IssuerAwayError extends Error {
  override readonly name = 'IssuerAwayError';
}

/** Finds the key of a JWT, as jose asks for it. Throws jose's errors, or `IssuerAwayError`. */
export type FindIssuerKey = JWTVerifyGetKey;

export interface IssuerKeysParts {
  documents: DocumentReader;
  clock: Pick<Clock, 'monotonic'>;
  log: Log;
  /** Ends what is being fetched. */
  signal: AbortSignal;
}

/** Makes the look-up of one issuer's keys. Nothing is fetched before it is used. */
export function createIssuerKeys(issuer: IssuerSettings, parts: IssuerKeysParts): FindIssuerKey {
  const { clock, log } = parts;
  let known: { find: LocalJWKSet; atMs: number } | null = null;
  /** When the last fetch was over, and when the last one that failed was: one may take long. */
  let triedAt = -Infinity;
  let failedAt = -Infinity;
  let fetching: Promise<void> | null = null;

  const ageMs = () => (known === null ? Infinity : clock.monotonic() - known.atMs);

  /** Never rejects: what is known stays, and the log says why. */
  async function fetchAgain(): Promise<void> {
    try {
      const keys = await fetchKeys(issuer, parts);
      // An answer too: whoever had one of them before has it no more.
      if (keys.keys.length === 0) {
        log.warn({ issuer: issuer.issuer, algorithms: issuer.algorithms }, 'an issuer has no key that can be used');
      }
      const { createLocalJWKSet } = await loadJose();
      known = { find: createLocalJWKSet(keys), atMs: clock.monotonic() };
    } catch (error) {
      failedAt = clock.monotonic();
      log.warn({ issuer: issuer.issuer, reason: reasonOf(error) }, 'keys of an issuer could not be fetched');
    }
    triedAt = clock.monotonic();
  }

  function refresh(afterMs: number): Promise<void> {
    if (fetching === null && clock.monotonic() - triedAt < afterMs) return Promise.resolve();
    fetching ??= fetchAgain().finally(() => (fetching = null));
    return fetching;
  }

  async function usable(): Promise<LocalJWKSet> {
    if (ageMs() > USABLE_MS) await refresh(TRY_AGAIN_MS);
    else if (ageMs() > FRESH_MS) {
      const refreshed = refresh(LOOK_AGAIN_MS);
      if (clock.monotonic() - failedAt >= AWAY_MS) await refreshed;
    }
    if (known === null || ageMs() > USABLE_MS) throw new IssuerAwayError('the keys of the issuer cannot be fetched');
    return known.find;
  }

  return async function findKey(header, token) {
    const find = await usable();
    try {
      return await find(header, token);
    } catch (error) {
      const { errors } = await loadJose();
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await refresh(LOOK_AGAIN_MS);
      return (await usable())(header, token);
    }
  };
}

/** For whoever configured the issuer. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (!(error instanceof OutboundError)) return error.message;
  return error.cause instanceof Error ? `${error.failure}: ${error.cause.message}` : error.failure;
}

/** Throws `OutboundError`, or an `Error` whose message says what was wrong with the document. */
async function fetchKeys(issuer: IssuerSettings, parts: IssuerKeysParts): Promise<JSONWebKeySet> {
  const uri = issuer.jwksUri ?? (await discover(issuer, parts));
  const { keys } = await fetchObject(uri, KEYS_BYTES_MAX, { issuer, ...parts });
  if (!Array.isArray(keys)) throw new Error('no list of keys came');
  // Keys are few; a list that is longer than this is no issuer's.
  if (keys.length > KEYS_MAX) throw new Error(`more than ${KEYS_MAX} keys came`);
  return { keys: keys.filter(isJsonObject).filter((key) => isUsable(key, issuer.algorithms)) };
}

async function discover(issuer: IssuerSettings, parts: IssuerKeysParts): Promise<string> {
  const url = `${issuer.issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  const document = await fetchObject(url, DISCOVERY_BYTES_MAX, { issuer, ...parts });
  if (document.issuer !== issuer.issuer) throw new Error('the discovery document is another issuer’s');
  if (typeof document.jwks_uri !== 'string') throw new Error('the discovery document has no jwks_uri');
  return document.jwks_uri;
}

async function fetchObject(
  url: string,
  bytesMax: number,
  { issuer: { allowPrivateNetwork }, documents, signal }: IssuerKeysParts & { issuer: IssuerSettings },
): Promise<JsonObject> {
  const { status, body } = await documents.get({ url, allowPrivateNetwork, timeoutMs: TIMEOUT_MS, bytesMax }, signal);
  if (status !== 200) throw new Error(`status ${status} came`);
  const value: Json = body.kind === 'json' ? body.value : null;
  if (!isJsonObject(value)) throw new Error('no JSON object came');
  return value;
}

/** Public, for signatures, and of a type that one of the algorithms has: a shared secret never is. */
function isUsable({ kty, crv, use, d }: JsonObject, algorithms: readonly JwtAlgorithm[]): boolean {
  if (d !== undefined || (use !== undefined && use !== 'sig')) return false;
  return algorithms.some((algorithm) => {
    const form = KEY_OF[algorithm];
    return form.kty === kty && (form.crv === undefined || form.crv === crv);
  });
}

import { createSecretKey, type KeyObject } from 'node:crypto';
import type { JWTHeaderParameters } from 'jose';
import * as z from 'zod';
import type { Caller } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { Secret } from '../core/secret.ts';
import type { KeyVerifier } from './keys.ts';
import { loadJose, type JoseErrors } from './load-jose.ts';
import { allowsWorkflow } from './policy.ts';
import { expired, unauthorized } from './refusals.ts';
import type { SigningKeys } from './signing-keys.ts';
import { isSubject, TOKEN_LENGTH_MAX, TOKEN_RUNS_MAX, TOKEN_TTL_S_MAX, TOKEN_WORKFLOWS_MAX } from './token-limits.ts';
import { createVerifiedTokens, hasOneSpelling } from './verified-tokens.ts';

/*
 * A browser token: `rgt_` and a compact JWS (RFC 7515) of a key's making.
 *
 *   header   { alg: HS256, typ: rgt+jwt, kid: <signing key> }
 *   claims   { iss, aud: rungate, jti, iat, exp, key: <id of its key>, workflows, origin?, sub?, max_runs? }
 *
 * Only this gateway reads it, so a shared secret signs it, and no other algorithm is ever looked at. What it says of a key
 * holds only as far as the key still goes: the key is looked up for every request.
 */

export const TOKEN_PREFIX = 'rgt_';
const ALGORITHM = 'HS256';
const TYPE = 'rgt+jwt';
/** Issuer and audience alike. */
const US = 'rungate';
/** HS256 signatures are 32 bytes: 43 characters. */
const TOKEN = /^rgt_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]{43})$/;
const ID_BYTES = 16;
/** As long as a signing key's. */
const SECRET_BYTES = 32;

const Claims = z.strictObject({
  iss: z.literal(US),
  aud: z.literal(US),
  jti: z.string().min(1).max(100),
  iat: z.int(),
  exp: z.int(),
  key: z.string().min(1).max(100),
  workflows: z.array(z.string().min(1)).min(1).max(TOKEN_WORKFLOWS_MAX),
  origin: z.string().optional(),
  sub: z.string().refine(isSubject).optional(),
  max_runs: z.int().min(1).max(TOKEN_RUNS_MAX).optional(),
});
type Claims = z.infer<typeof Claims>;

/** What a key wants a token for. */
export interface NewToken {
  /** Registered workflows; at least one. */
  workflows: readonly string[];
  /** The one page that may use it, serialized; null: those of its key. */
  origin: string | null;
  subject: string | null;
  runsMax: number | null;
  ttlS: number;
}

export interface TokenIssuer {
  /**
   * Makes a token for a key. `expiresAt`: milliseconds since 1970, a whole second, and never after the key's own end.
   * Throws `forbidden` where the caller is no key of role runs, or a workflow is not its own.
   */
  issue(caller: Caller, wanted: NewToken): Promise<{ token: Secret; expiresAt: number }>;
}

export interface TokenVerifier {
  /**
   * Throws `unauthorized`; `forbidden` for a token that is bound to an origin which neither its key nor the configuration
   * names any more; or what the store or the vault throws.
   */
  verify(token: string): Promise<Caller>;
}

export interface TokensParts {
  keys: Pick<KeyVerifier, 'holder'>;
  signingKeys: SigningKeys;
  /** Browser origins that any key or token may be used from, as the configuration has them now. */
  configuredOrigins: () => ReadonlySet<string>;
  clock: Pick<Clock, 'now'>;
  random: Random;
}

/** Makes what issues and verifies browser tokens. */
export function createTokens(parts: TokensParts): TokenIssuer & TokenVerifier {
  const { keys, signingKeys, configuredOrigins, clock, random } = parts;
  const verified = createVerifiedTokens<Claims>();
  /** Nobody has it: signed nothing, and signs nothing. */
  const noSecret = createSecretKey(random.bytes(SECRET_BYTES));

  async function claimsOf(token: string): Promise<Claims> {
    const now = clock.now();
    const known = verified.get(token, now);
    if (known !== null) return known;
    const claims = await readToken(token, { signingKeys, noSecret, now });
    verified.put(token, claims, claims.exp * 1000);
    return claims;
  }

  return {
    async issue(caller, wanted) {
      requireIssuer(caller, wanted);
      const nowS = Math.floor(clock.now() / 1000);
      const keyEndsS = caller.keyExpiresAt === null ? Infinity : Math.floor(caller.keyExpiresAt / 1000);
      const exp = Math.min(nowS + wanted.ttlS, keyEndsS);
      const jti = `tok_${Buffer.from(random.bytes(ID_BYTES)).toString('hex')}`;
      const { id: kid, secret } = await signingKeys.current();
      const { workflows, origin, subject, runsMax } = wanted;
      const { SignJWT } = await loadJose();
      const jws = await new SignJWT({
        iss: US,
        aud: US,
        jti,
        iat: nowS,
        exp,
        key: caller.keyId,
        workflows: [...new Set(workflows)],
        ...(origin === null ? {} : { origin }),
        ...(subject === null ? {} : { sub: subject }),
        ...(runsMax === null ? {} : { max_runs: runsMax }),
      })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid })
        .sign(secret);
      return { token: new Secret(TOKEN_PREFIX + jws), expiresAt: exp * 1000 };
    },
    async verify(token) {
      if (!isToken(token)) throw unauthorized();
      const claims = await claimsOf(token);
      // Revoked, expired or of another role by now: what it gave out ends with it.
      const holder = await keys.holder(claims.key);
      if (holder === null) throw unauthorized();
      const { origin } = claims;
      if (origin !== undefined && !holder.origins.includes(origin) && !configuredOrigins().has(origin)) {
        throw forbidden('Neither the key of this token nor the configuration names its origin any more.');
      }
      return callerOf(claims, holder);
    },
  };
}

/** Throws `forbidden` where the caller is no key of role runs, or, naming the field, where a workflow is not its own. */
export function requireIssuer(caller: Caller, { workflows }: Pick<NewToken, 'workflows'>): void {
  if (caller.token !== null) throw forbidden('A token cannot make tokens; have the server that holds its key do so.');
  if (caller.role !== 'runs') throw forbidden(`A key of role ${caller.role} cannot make tokens; use one of role runs.`);
  const other = workflows.findIndex((name) => !allowsWorkflow(caller, name));
  if (other === -1) return;
  const param = `workflows.${other}`;
  const message = `\`${param}\`: this key may not run this workflow, and so neither may its tokens.`;
  throw new GatewayError('forbidden', { param, message });
}

/** By form alone. */
function isToken(text: string): boolean {
  if (text.length > TOKEN_LENGTH_MAX) return false;
  const signature = TOKEN.exec(text)?.[1];
  return signature !== undefined && hasOneSpelling(signature);
}

async function readToken(
  token: string,
  { signingKeys, noSecret, now }: { signingKeys: SigningKeys; noSecret: KeyObject; now: number },
): Promise<Claims> {
  const { jwtVerify, errors } = await loadJose();
  let known = false;
  const keyOf = async ({ kid }: JWTHeaderParameters) => {
    const key = typeof kid === 'string' ? await signingKeys.find(kid) : null;
    known = key !== null;
    // Looked at as closely as with a good one, so that time does not tell which signing keys there are.
    return key?.secret ?? noSecret;
  };
  try {
    const { payload } = await jwtVerify(token.slice(TOKEN_PREFIX.length), keyOf, {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer: US,
      audience: US,
      requiredClaims: ['jti', 'iat', 'exp'],
      currentDate: new Date(now),
    });
    const claims = Claims.safeParse(payload);
    if (!known || !claims.success || claims.data.exp - claims.data.iat > TOKEN_TTL_S_MAX) throw unauthorized();
    return claims.data;
  } catch (error) {
    throw refusalOf(error, errors);
  }
}

/** Only a signature that is good earns a reason; what the store or the vault throws goes on as it is. */
function refusalOf(error: unknown, errors: JoseErrors): unknown {
  if (error instanceof errors.JWTExpired) return expired();
  if (error instanceof errors.JOSEError) return unauthorized();
  return error;
}

/** A token is narrower than its key, whatever the key has become since. */
function callerOf(claims: Claims, key: Caller): Caller {
  const origin = claims.origin ?? null;
  const allowedWorkflows = claims.workflows.filter((name) => allowsWorkflow(key, name));
  // No name at all would stand for every one.
  if (key.role !== 'runs' || allowedWorkflows.length === 0) throw unauthorized();
  return {
    ...key,
    subject: claims.sub ?? null,
    token: { id: claims.jti, runsMax: claims.max_runs ?? null, expiresAt: claims.exp * 1000, origin },
    allowedWorkflows,
    allowedProviders: [],
    origins: origin === null ? key.origins : [origin],
  };
}

function forbidden(message: string): GatewayError {
  return new GatewayError('forbidden', { message });
}

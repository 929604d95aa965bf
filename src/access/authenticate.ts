import type { Caller } from '../core/caller.ts';
import { GatewayError } from '../core/errors.ts';
import type { KeyVerifier } from './keys.ts';
import type { OidcVerifier } from './oidc.ts';
import { unauthorized } from './refusals.ts';
import { TOKEN_LENGTH_MAX } from './token-limits.ts';
import { TOKEN_PREFIX, type TokenVerifier } from './tokens.ts';

/** What a request shows of who it is. */
export interface ShownIdentity {
  authorization: string | undefined;
  /** `?token=`, where the route takes one. */
  token: string | null;
  /** The browser page that asks; null: none said. */
  origin: string | null;
}

/** Proves who asks. Throws `unauthorized`, `forbidden` (for the origin), or what stands behind it throws. */
export type Authenticate = (shown: ShownIdentity) => Promise<Caller>;

export interface AuthenticatorParts {
  keys: Pick<KeyVerifier, 'verify'>;
  tokens: TokenVerifier;
  oidc: Pick<OidcVerifier, 'verify'>;
  /** Browser origins that any key or token may be used from, as the configuration has them now. */
  configuredOrigins: () => ReadonlySet<string>;
}

/** The scheme, a few spaces and the longest token; anything longer is none. */
const AUTHORIZATION_LENGTH_MAX = 'Bearer'.length + 16 + TOKEN_LENGTH_MAX;
const BEARER = /^bearer +([^ ]+) *$/i;

/**
 * Makes the one door: a key, a token that a key has made, or a JWT of a configured issuer, told apart by form. A token in
 * the address is only ever a browser token, and looked at only where there is no header (HTTP refuses a request with both).
 * Whatever fails on the way is no proof, and refuses.
 */
export function createAuthenticator({ keys, tokens, oidc, configuredOrigins }: AuthenticatorParts): Authenticate {
  function prove({ authorization, token }: ShownIdentity): Promise<Caller> {
    if (authorization === undefined && token !== null) return tokens.verify(token);
    const shown = bearerOf(authorization);
    if (shown === null) return Promise.reject(unauthorized());
    if (shown.startsWith(TOKEN_PREFIX)) return tokens.verify(shown);
    // No key holds a dot, and every JWT does.
    if (shown.includes('.')) return oidc.verify(shown);
    return keys.verify(shown);
  }

  async function proveFrom(shown: ShownIdentity, origin: string): Promise<Caller> {
    const caller = await prove(shown);
    requireOrigin(caller, origin, configuredOrigins());
    return caller;
  }

  return (shown) => (shown.origin === null ? prove(shown) : proveFrom(shown, shown.origin));
}

function bearerOf(authorization: string | undefined): string | null {
  if (authorization === undefined || authorization.length > AUTHORIZATION_LENGTH_MAX) return null;
  return BEARER.exec(authorization)?.[1] ?? null;
}

/**
 * A token that is bound to one page comes from there alone. Others come from the pages that their key or the configuration
 * names. A key that names none may be a server's, and servers may say anything; a token is always a browser's.
 */
function requireOrigin({ token, origins }: Caller, origin: string, configured: ReadonlySet<string>): void {
  const isBound = token !== null && token.origin !== null;
  if (origins.includes(origin) || (!isBound && configured.has(origin))) return;
  if (token === null && origins.length === 0) return;
  throw new GatewayError('forbidden', {
    message: isBound
      ? 'This token was made for another origin.'
      : 'Neither this key nor the configuration names this origin; `keys create --origin` and `access.origins` do.',
  });
}

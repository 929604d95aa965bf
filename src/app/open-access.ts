import { createAuthenticator, type Authenticate } from '../access/authenticate.ts';
import { createKeyVerifier, type KeyVerifier } from '../access/keys.ts';
import { createKeyUse } from '../access/key-use.ts';
import { createOpenCalls, type OpenCalls } from '../access/open-calls.ts';
import { createOriginCheck, type ServesOrigin } from '../access/origins.ts';
import { createOidcVerifier } from '../access/oidc.ts';
import type { KeyStore, SigningKeyStore } from '../access/ports.ts';
import { createSigningKeys, type SigningKeyBox } from '../access/signing-keys.ts';
import { createTokens, type TokenIssuer } from '../access/tokens.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { DocumentReader } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { Registry } from '../providers/registry.ts';

/** Who may come, for as long as this process serves. */
export interface Access {
  verifier: KeyVerifier;
  openCalls: OpenCalls;
  servesOrigin: ServesOrigin;
  authenticate: Authenticate;
  tokens: TokenIssuer;
  /** Looks after open calls no more, and writes when keys were last used. Never rejects. */
  stop(): Promise<void>;
}

export interface AccessParts {
  keys: KeyStore;
  /** Where the secrets that sign tokens lie, and what seals them. */
  signingKeys: SigningKeyStore;
  signingKeyBox: SigningKeyBox;
  /** Through which issuers' keys are fetched. */
  documents: DocumentReader;
  registry: () => Registry;
  clock: Clock;
  random: Random;
  log: Log;
}

/** Makes what proves callers and looks after them, over the store's keys and the configuration as it is at each moment. */
export function openAccess({ keys, registry, clock, log, ...parts }: AccessParts): Access {
  const use = createKeyUse({ keys, clock, log });
  const verifier = createKeyVerifier({ keys, use, clock });
  const configuredOrigins = () => registry().access.origins;
  const servesOrigin = createOriginCheck({ keys, configured: configuredOrigins, clock });
  const signingKeys = createSigningKeys({ ...parts, store: parts.signingKeys, box: parts.signingKeyBox, clock });
  const tokens = createTokens({ ...parts, keys: verifier, signingKeys, configuredOrigins, clock });
  const stopped = new AbortController();
  const oidc = createOidcVerifier({
    issuers: () => registry().access.issuers,
    documents: parts.documents,
    keys: verifier,
    clock,
    log,
    signal: stopped.signal,
  });
  const openCalls = createOpenCalls({
    isValid: (keyId) => verifier.isValid(keyId),
    isTrusted: (token) => oidc.isTrusted(token),
    clock,
    log,
  });
  return {
    authenticate: createAuthenticator({ keys: verifier, tokens, oidc, configuredOrigins }),
    tokens,
    verifier,
    openCalls,
    servesOrigin,
    async stop() {
      openCalls.stop();
      stopped.abort();
      await use.stop();
    },
  };
}

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { MasterKeys } from './master-key.ts';
import { openSealed } from './open-sealed.ts';
import type { CredentialStore } from './ports.ts';
import { credentialPlace } from './sealed-places.ts';

const HEX_SHA256 = /^[0-9a-f]{64}$/i;

/** A vendor's message, with the signature that came with it. */
export interface SignedMessage {
  /** As it came. */
  body: Uint8Array;
  /** HMAC-SHA256 of the body, in hexadecimal. */
  signature: string;
}

/**
 * Whether a message was signed with one of the provider's credentials of purpose `webhook`. `no_credential`: it has none.
 * Throws `vault_unavailable` where none matches and one of them cannot be opened.
 */
export type VerifySignature = (
  provider: string,
  message: SignedMessage,
) => Promise<'right' | 'wrong' | 'no_credential'>;

/** Makes the one place where a webhook credential is opened; nothing of it leaves. */
export function createSignatureVerifier({
  store,
  masterKeys,
}: {
  store: Pick<CredentialStore, 'list'>;
  masterKeys: MasterKeys;
}): VerifySignature {
  return async (provider, { body, signature }) => {
    const rows = (await store.list(provider)).filter(({ purpose }) => purpose === 'webhook');
    if (rows.length === 0) return 'no_credential';
    if (!HEX_SHA256.test(signature)) return 'wrong';
    const given = Buffer.from(signature, 'hex');
    let right = false;
    let unopened: { cause: unknown } | null = null;
    // Every one is looked at, so that time does not tell which.
    for (const row of rows) {
      try {
        const secret = await openSealed(row.sealed, credentialPlace(row), { masterKeys, what: `credential ${row.id}` });
        const computed = createHmac('sha256', secret.open()).update(body).digest();
        right = timingSafeEqual(given, computed) || right;
      } catch (cause) {
        unopened ??= { cause };
      }
    }
    if (right) return 'right';
    // It may be the one that would have matched.
    if (unopened !== null) throw unopened.cause;
    return 'wrong';
  };
}

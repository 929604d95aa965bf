import type { Secret } from '../core/secret.ts';
import { openSealed } from './open-sealed.ts';
import { sealAndStore, type Sealing } from './seal-and-store.ts';
import { signingKeyPlace } from './sealed-places.ts';

/** Makes what seals and opens the secrets that sign tokens, each for its own row. */
export function createSigningKeyBox({ masterKeys, random }: Sealing) {
  return {
    /** Seals it and has it stored, again where the master key was retired meanwhile. Throws `vault_unavailable`. */
    seal: <T>(id: string, secret: Secret, store: (sealed: Uint8Array) => Promise<T>): Promise<T> =>
      sealAndStore(secret, signingKeyPlace({ id }), { masterKeys, random, store }),
    /** Throws `vault_unavailable`. */
    open: (id: string, sealed: Uint8Array): Promise<Secret> =>
      openSealed(sealed, signingKeyPlace({ id }), { masterKeys, what: `signing key ${id}` }),
  };
}

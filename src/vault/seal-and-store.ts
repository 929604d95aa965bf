import type { Random } from '../core/random.ts';
import type { Secret } from '../core/secret.ts';
import { unusable, type MasterKeys } from './master-key.ts';
import { RetiredMasterKeyError } from './ports.ts';
import { seal, type SealedPlace } from './sealed-box.ts';

/** A rotation that ends between seal and write retires one key; a second one in that time has never been seen. */
const TRIES_MAX = 3;

/** What it takes to seal. */
export interface Sealing {
  masterKeys: MasterKeys;
  random: Random;
}

/**
 * Seals a secret for one place with the newest master key and has it stored; does both again where the store says that
 * this key was retired meanwhile. Resolves to what `store` did. Throws `vault_unavailable` where every key was retired.
 */
export async function sealAndStore<T>(
  secret: Secret,
  place: SealedPlace,
  { masterKeys, random, store }: Sealing & { store: (sealed: Uint8Array) => Promise<T> },
): Promise<T> {
  let key = await masterKeys.newest();
  for (let tries = 1; ; tries++) {
    try {
      return await store(seal(secret.open(), place, { key, random }));
    } catch (error) {
      if (!(error instanceof RetiredMasterKeyError)) throw error;
      if (tries >= TRIES_MAX) throw stillRetired(key.fingerprint, error);
      key = await masterKeys.newest(key.fingerprint);
    }
  }
}

function stillRetired(fingerprint: string, cause: Error): Error {
  return unusable(
    `The newest master key at hand, ${fingerprint}, was retired by a rotation and seals nothing any more. ` +
      'Put the key that was rotated to first again; `rungate vault rotate` says which one that is.',
    cause,
  );
}

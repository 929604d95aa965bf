import { describe, expect, it } from 'vitest';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import { fixedMasterKeys, masterKeyOf, type MasterKeys } from '../../../src/vault/master-key.ts';
import { RetiredMasterKeyError } from '../../../src/vault/ports.ts';
import { sealAndStore } from '../../../src/vault/seal-and-store.ts';
import { fingerprintOf, unseal } from '../../../src/vault/sealed-box.ts';
import { credentialPlace } from '../../../src/vault/sealed-places.ts';

const random = createSystemRandom();
const place = credentialPlace({ id: 'cred_1', provider: 'b3os', purpose: 'api' });
const secret = new Secret('sk_1');

/** A store that refuses what is sealed with these keys. */
function storeWithout(retired: readonly string[]) {
  const kept: Uint8Array[] = [];
  let refusals = 0;
  return {
    kept,
    refusals: () => refusals,
    store: async (sealed: Uint8Array) => {
      if (!retired.includes(fingerprintOf(sealed))) return kept.push(sealed);
      refusals += 1;
      throw new RetiredMasterKeyError();
    },
  };
}

describe('sealing', () => {
  const [older, newer] = [masterKeyOf(random.bytes(32)), masterKeyOf(random.bytes(32))];
  /** The newer key is found only by who says that the older one was retired. */
  const rotated: MasterKeys = {
    newest: async (retired) => (retired === older.fingerprint ? newer : older),
    find: async () => null,
  };

  it('is done again with the newest key where the store says that the one it was done with was retired', async () => {
    const { kept, refusals, store } = storeWithout([older.fingerprint]);
    expect(await sealAndStore(secret, place, { masterKeys: rotated, random, store })).toBe(1);
    expect(refusals()).toBe(1);
    expect(unseal(kept[0] ?? new Uint8Array(), place, newer)).toBe('sk_1');
  });

  it('ends where every key at hand was retired, and says what to do', async () => {
    const { refusals, store } = storeWithout([older.fingerprint]);
    const sealing = sealAndStore(secret, place, { masterKeys: fixedMasterKeys([older]), random, store });
    await expect(sealing).rejects.toMatchObject({ code: 'vault_unavailable' });
    await expect(sealing).rejects.toThrow(older.fingerprint);
    expect(refusals()).toBe(3);
  });

  it('is done once where the store fails otherwise', async () => {
    let tries = 0;
    const store = async () => {
      tries += 1;
      throw new Error('the disk is full');
    };
    await expect(sealAndStore(secret, place, { masterKeys: rotated, random, store })).rejects.toThrow('disk is full');
    expect(tries).toBe(1);
  });
});

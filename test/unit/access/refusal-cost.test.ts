import { describe, expect, it } from 'vitest';
import { drawKeyParts, formatKey } from '../../../src/access/key-format.ts';
import { createKey, createKeyVerifier } from '../../../src/access/keys.ts';
import type { StoredKey } from '../../../src/access/ports.ts';
import { createSystemRandom } from '../../../src/core/random.ts';

const random = createSystemRandom();
const WANTED = { name: 'k', role: 'runs', allowedWorkflows: [], allowedProviders: [], expiresAt: null } as const;

/** A store that tells what was read: rows that are there, and rows that are not. */
function countingStore() {
  const clock = { now: () => 1_000 };
  const { stored, key } = createKey(WANTED, { clock, random });
  const read = { there: 0, missing: 0 };
  const keys = {
    async find(id: string): Promise<StoredKey | null> {
      read[id === stored.id ? 'there' : 'missing']++;
      return id === stored.id ? stored : null;
    },
  };
  const verifier = createKeyVerifier({ keys, use: { note: () => {} }, clock });
  return {
    id: stored.id,
    use: () => verifier.verify(key.open()),
    async refusalOf(id: string) {
      Object.assign(read, { there: 0, missing: 0 });
      const shown = formatKey({ id, secret: drawKeyParts(random).secret });
      await expect(verifier.verify(shown)).rejects.toMatchObject({ code: 'unauthorized' });
      return { ...read };
    },
  };
}

describe('a refusal costs the same reads', () => {
  it('for a wrong secret of a key that nobody used lately, of one in use, and for an unknown key', async () => {
    const cold = countingStore();
    const warm = countingStore();
    await warm.use();
    const once = { there: 1, missing: 1 };
    expect(await cold.refusalOf(cold.id)).toEqual(once);
    expect(await warm.refusalOf(warm.id)).toEqual(once);
    // Again, now that the first one may have left something behind.
    expect(await warm.refusalOf(warm.id)).toEqual(once);
    expect(await warm.refusalOf(drawKeyParts(random).id)).toEqual(once);
  });
});

import { createKey, createKeyVerifier, type NewKey } from '../../src/access/keys.ts';
import { createSigningKeys, type SigningKeyBox } from '../../src/access/signing-keys.ts';
import { createTokens, type NewToken } from '../../src/access/tokens.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { Secret } from '../../src/core/secret.ts';
import { memoryKeyStore, memorySigningKeyStore } from './memory-stores.ts';

const random = createSystemRandom();
const NOW = Date.UTC(2030, 0, 1);

/** Turns bytes round, which is enough to see that nobody reads them without it. */
export const TEST_BOX: SigningKeyBox = {
  seal: (_id, secret, store) => store(new Uint8Array(Buffer.from(secret.open())).toReversed()),
  open: async (_id, sealed) => new Secret(Buffer.from(sealed.toReversed()).toString()),
};

/** A clock that a test moves. */
export function testClock(startMs = NOW) {
  let ms = 0;
  let jumpMs = 0;
  return {
    now: () => startMs + ms + jumpMs,
    monotonic: () => ms,
    pass: (by: number) => void (ms += by),
    /** The wall clock alone. */
    jump: (by: number) => void (jumpMs += by),
  };
}

export const TOKEN: NewToken = { workflows: ['summarize'], origin: null, subject: null, runsMax: null, ttlS: 600 };

/** A key with what makes and verifies its tokens, over stores in memory. */
export async function accessParts(given: Partial<NewKey> = {}, clock = testClock()) {
  const store = memorySigningKeyStore();
  const counted = { lists: 0 };
  const countingStore = {
    ...store,
    list: () => {
      counted.lists += 1;
      return store.list();
    },
  };
  const keys = memoryKeyStore();
  const verifier = createKeyVerifier({ keys, use: { note: () => {} }, clock });
  const signingKeys = createSigningKeys({ store: countingStore, box: TEST_BOX, clock, random });
  const configured = new Set<string>();
  const tokens = createTokens({ keys: verifier, signingKeys, configuredOrigins: () => configured, clock, random });
  const wanted: NewKey = { name: 'web', role: 'runs', allowedWorkflows: [], allowedProviders: [], expiresAt: null };
  const { stored, key } = createKey({ ...wanted, ...given }, { clock, random });
  await keys.insert(stored);
  const caller = await verifier.verify(key.open());
  async function issue(changes: Partial<NewToken> = {}): Promise<string> {
    const { token } = await tokens.issue(caller, { ...TOKEN, ...changes });
    return token.open();
  }
  return {
    clock,
    store,
    counted,
    countingStore,
    configured,
    keys,
    verifier,
    signingKeys,
    tokens,
    stored,
    key: key.open(),
    caller,
    issue,
  };
}

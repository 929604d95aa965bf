import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { createIds } from '../../../src/core/ids.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createVault } from '../../../src/vault/credentials.ts';
import { fixedMasterKeys, masterKeyOf } from '../../../src/vault/master-key.ts';
import { createSignatureVerifier } from '../../../src/vault/verify-signature.ts';
import { NO_REFERENCES } from '../../support/no-references.ts';
import { memoryCredentialStore } from '../../support/memory-stores.ts';
import { usableStates } from '../../support/usable-states.ts';

const random = createSystemRandom();
const BODY = Buffer.from('{"run_id":"1"}');

function setUp() {
  const store = memoryCredentialStore();
  const masterKeys = fixedMasterKeys([masterKeyOf(random.bytes(32))]);
  const ids = createIds({ clock: systemClock, random });
  const parts = { store, states: usableStates, masterKeys, ids, clock: systemClock, random };
  const vault = createVault({ ...parts, references: NO_REFERENCES, mayUse: () => false });
  const add = (secret: string, purpose: 'api' | 'webhook' = 'webhook') =>
    vault.add({ provider: 'b3os', label: null, purpose, secret: new Secret(secret) });
  /** Seals one with a master key that is gone. */
  const addUnopenable = async () => {
    const gone = fixedMasterKeys([masterKeyOf(random.bytes(32))]);
    const other = createVault({ ...parts, masterKeys: gone, references: NO_REFERENCES, mayUse: () => false });
    await other.add({ provider: 'b3os', label: null, purpose: 'webhook', secret: new Secret('lost') });
  };
  return { add, addUnopenable, verify: createSignatureVerifier({ store, masterKeys }) };
}

function signed(secret: string, body = BODY) {
  return { body: BODY, signature: createHmac('sha256', secret).update(body).digest('hex') };
}

describe('a vendor’s signature', () => {
  it('is right with any of the provider’s webhook secrets', async () => {
    const { add, verify } = setUp();
    await add('first');
    await add('second');
    for (const secret of ['first', 'second']) expect(await verify('b3os', signed(secret))).toBe('right');
    expect(await verify('b3os', { ...signed('first'), signature: signed('first').signature.toUpperCase() })).toBe(
      'right',
    );
  });

  it('is wrong with another secret, over another body, or in another form', async () => {
    const { add, verify } = setUp();
    await add('first');
    const { signature } = signed('first');
    const wrong = ['', 'x', signature.slice(1), `${signature}0`, `sha256=${signature}`, `${signature}, ${signature}`];
    for (const text of wrong) expect(await verify('b3os', { body: BODY, signature: text })).toBe('wrong');
    expect(await verify('b3os', signed('other'))).toBe('wrong');
    expect(await verify('b3os', signed('first', Buffer.from('{}')))).toBe('wrong');
  });

  it('is right though another secret cannot be opened; where none fits, nobody knows', async () => {
    const { add, addUnopenable, verify } = setUp();
    await addUnopenable();
    await add('first');
    await addUnopenable();
    expect(await verify('b3os', signed('first'))).toBe('right');
    for (const secret of ['lost', 'other']) {
      await expect(verify('b3os', signed(secret))).rejects.toMatchObject({ code: 'vault_unavailable' });
    }
  });

  it('cannot be made with what the provider’s runs use', async () => {
    const { add, verify } = setUp();
    await add('api-key', 'api');
    expect(await verify('b3os', signed('api-key'))).toBe('no_credential');
    await add('first');
    expect(await verify('b3os', signed('api-key'))).toBe('wrong');
    expect(await verify('interactly', signed('first'))).toBe('no_credential');
  });
});

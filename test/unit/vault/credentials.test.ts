import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createIds } from '../../../src/core/ids.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createVault, type NewCredential } from '../../../src/vault/credentials.ts';
import { fixedMasterKeys, masterKeyOf } from '../../../src/vault/master-key.ts';
import { memoryCredentialStore } from '../../support/memory-stores.ts';

const random = createSystemRandom();
const MARKER = 'sk_a-marker-secret';
const provider = { name: 'ai-tutor', baseUrl: 'https://api.example.com/v1', credentials: [] };

function setUp(environment: Record<string, string> = {}) {
  const store = memoryCredentialStore();
  const vault = createVault({
    store,
    masterKeys: fixedMasterKeys([masterKeyOf(random.bytes(32))]),
    ids: createIds({ clock: systemClock, random }),
    clock: systemClock,
    random,
    readReference: async (reference) => {
      const value = environment[reference];
      return value === undefined ? null : new Secret(value);
    },
  });
  const add = (given: Partial<NewCredential> = {}) =>
    vault.add({ provider: 'ai-tutor', label: null, purpose: 'api', secret: new Secret(MARKER), ...given });
  return { store, vault, add };
}

describe('a stored credential', () => {
  it('is picked for its provider, bound to its origin, and opens to the secret', async () => {
    const { vault, add } = setUp();
    const { id } = await add();
    const picked = await vault.pick(provider);
    expect(id).toMatch(/^cred_[0-9a-z]{26}$/);
    expect(picked).toMatchObject({ id, origin: 'https://api.example.com' });
    expect((await picked?.open())?.open()).toBe(MARKER);
  });

  it('is nowhere in the store, in what add and list give, or in a print of what was picked', async () => {
    const { store, vault, add } = setUp();
    const added = await add({ label: 'main' });
    const everything = [added, await vault.list(), await vault.pick(provider), [...store.rows.values()]];
    expect(inspect(everything, { depth: 10, showHidden: true })).not.toContain(MARKER);
    for (const { sealed } of store.rows.values()) expect(Buffer.from(sealed).includes(MARKER)).toBe(false);
    expect(Object.keys(added).toSorted()).toEqual(['createdAt', 'id', 'label', 'provider', 'purpose']);
  });

  it('gives way to a newer one, while runs that are pinned to it still reopen it', async () => {
    const { vault, add } = setUp();
    const older = await add();
    const newer = await add({ secret: new Secret('sk_newer') });
    expect((await vault.pick(provider))?.id).toBe(newer.id);
    const pinned = await vault.reopen({ id: older.id, provider: 'ai-tutor', baseUrl: 'http://127.0.0.1:9/x' });
    expect(pinned?.origin).toBe('http://127.0.0.1:9');
    expect((await pinned?.open())?.open()).toBe(MARKER);
  });

  it('is not used for runs when it is for webhooks', async () => {
    const { vault, add } = setUp();
    await add({ purpose: 'webhook' });
    expect(await vault.pick(provider)).toBeNull();
  });

  it('is gone once it was removed', async () => {
    const { vault, add } = setUp();
    const { id } = await add();
    expect(await vault.remove(id)).toBe(true);
    expect(await vault.remove(id)).toBe(false);
    expect(await vault.pick(provider)).toBeNull();
    expect(await vault.reopen({ id, provider: 'ai-tutor', baseUrl: provider.baseUrl })).toBeNull();
  });

  it('does not reopen for another provider', async () => {
    const { vault, add } = setUp();
    const { id } = await add();
    expect(await vault.reopen({ id, provider: 'b3os', baseUrl: provider.baseUrl })).toBeNull();
  });

  it('does not open in a row that it was moved to', async () => {
    const { store, vault, add } = setUp();
    const own = await add();
    const other = await add({ provider: 'b3os', secret: new Secret('b3sk_other') });
    const [ownRow, otherRow] = [store.rows.get(own.id), store.rows.get(other.id)];
    if (!ownRow || !otherRow) throw new Error('the rows are there');
    store.rows.set(other.id, { ...otherRow, sealed: ownRow.sealed });
    const moved = await vault.pick({ ...provider, name: 'b3os' });
    await expect(moved?.open()).rejects.toMatchObject({ code: 'vault_unavailable' });
  });

  it('names the master key that is missing', async () => {
    const { store, vault, add } = setUp();
    const { id } = await add();
    const strange = setUp();
    const row = store.rows.get(id);
    if (row) strange.store.rows.set(id, row);
    const picked = await strange.vault.pick(provider);
    await expect(picked?.open()).rejects.toThrow(/master key [0-9a-f]{16} is not there/);
    expect((await (await vault.pick(provider))?.open())?.open()).toBe(MARKER);
  });
});

describe('a secret', () => {
  it('loses one line break at its end, which is the shell’s', async () => {
    const { vault, add } = setUp();
    await add({ secret: new Secret('sk_1\n') });
    expect((await (await vault.pick(provider))?.open())?.open()).toBe('sk_1');
    await add({ secret: new Secret('sk_2\r\n') });
    expect((await (await vault.pick(provider))?.open())?.open()).toBe('sk_2');
  });

  it.each([
    ['empty', ''],
    ['a line break', '\n'],
    ['two line breaks at the end', 'sk_marker\n\n'],
    ['a space inside', 'sk_mar ker'],
    ['a header inside', 'sk_marker\r\nx-evil: 1'],
    ['a NUL', 'sk_marker\0'],
    ['an umlaut', 'sk_märker'],
    ['too long', `sk_marker${'x'.repeat(8192)}`],
  ])('is refused when it is or has %s, and not shown', async (_, text) => {
    const { store, add } = setUp();
    const refusal = await add({ secret: new Secret(text) }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'invalid_request', details: { param: 'secret' } });
    expect(inspect(refusal)).not.toMatch(/sk_m/);
    expect(store.rows.size).toBe(0);
  });

  it('has a label that prints on one line', async () => {
    const { add } = setUp();
    await expect(add({ label: 'a\u001b[31m' })).rejects.toMatchObject({ details: { param: 'label' } });
    await expect(add({ label: '' })).rejects.toMatchObject({ details: { param: 'label' } });
    expect((await add({ label: 'the team’s' })).label).toBe('the team’s');
  });
});

describe('a reference', () => {
  it('goes before the store, in the order of the configuration', async () => {
    const { vault, add } = setUp({ 'env:B': 'sk_b', 'env:C': 'sk_c' });
    await add();
    const picked = await vault.pick({ ...provider, credentials: ['env:A', 'env:B', 'env:C'] });
    expect(picked).toMatchObject({ id: 'env:B', origin: 'https://api.example.com' });
    expect((await picked?.open())?.open()).toBe('sk_b');
  });

  it('that names nothing is not replaced by what the store has', async () => {
    const { vault, add } = setUp();
    await add();
    expect(await vault.pick({ ...provider, credentials: ['env:A'] })).toBeNull();
  });

  it('is reopened by its name and read anew each time', async () => {
    const environment: Record<string, string> = { 'env:A': 'sk_old' };
    const { vault } = setUp(environment);
    const pinned = await vault.reopen({ id: 'env:A', provider: 'ai-tutor', baseUrl: provider.baseUrl });
    environment['env:A'] = 'sk_new\n';
    expect((await pinned?.open())?.open()).toBe('sk_new');
    delete environment['env:A'];
    await expect(pinned?.open()).rejects.toMatchObject({ code: 'no_credential' });
    expect(await vault.reopen({ id: 'env:A', provider: 'ai-tutor', baseUrl: provider.baseUrl })).toBeNull();
  });

  it('to something that no header can carry is a fault of the vault', async () => {
    const { vault } = setUp({ 'env:A': 'sk_mar ker' });
    const picked = await vault.pick({ ...provider, credentials: ['env:A'] });
    await expect(picked?.open()).rejects.toMatchObject({ code: 'vault_unavailable' });
    await expect(picked?.open()).rejects.not.toThrow(/sk_/);
  });
});

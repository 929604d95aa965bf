import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createIds } from '../../../src/core/ids.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import { openCredentialStates } from '../../../src/vault/credential-states.ts';
import { createVault, type CredentialedProvider, type NewCredential } from '../../../src/vault/credentials.ts';
import { fixedMasterKeys, masterKeyOf } from '../../../src/vault/master-key.ts';
import { memoryCredentialStore } from '../../support/memory-stores.ts';

const random = createSystemRandom();
const MARKER = 'sk_a-marker-secret';
const REFUSED = { is: 'set_aside', code: 'upstream_auth_failed', at: 1_800_000_000_000 } as const;
const A = { reference: 'env:A', weight: 1 };
const B = { reference: 'env:B', weight: 2 };
const C = { reference: 'env:C', weight: 1 };
const provider = { name: 'ai-tutor', baseUrl: 'https://api.example.com/v1', credentials: [] };

type MayUse = Parameters<typeof createVault>[0]['mayUse'];

async function setUp(
  environment: Record<string, string> = {},
  { changed = new Set(), mayUse = () => true }: { changed?: ReadonlySet<string>; mayUse?: MayUse } = {},
) {
  const store = memoryCredentialStore();
  const states = await openCredentialStates({ store, clock: systemClock, log: { warn: () => undefined } }, 'serve');
  const vault = createVault({
    store,
    states,
    masterKeys: fixedMasterKeys([masterKeyOf(random.bytes(32))]),
    ids: createIds({ clock: systemClock, random }),
    clock: systemClock,
    random,
    references: {
      isSet: (reference) => environment[reference] !== undefined,
      async read(reference) {
        const value = environment[reference];
        return value === undefined ? null : new Secret(value);
      },
      hasChanged: async (reference) => changed.has(reference),
    },
    mayUse,
  });
  const add = (given: Partial<NewCredential> = {}) =>
    vault.add({ provider: 'ai-tutor', label: null, purpose: 'api', secret: new Secret(MARKER), ...given });
  /** The first of the pool. */
  const first = async (of: CredentialedProvider = provider) => (await vault.pool(of))[0]?.credential ?? null;
  return { store, states, vault, add, first };
}

describe('a stored credential', () => {
  it('is in its provider’s pool, bound to its origin, and opens to the secret', async () => {
    const { add, first } = await setUp();
    const { id } = await add();
    const picked = await first();
    expect(id).toMatch(/^cred_[0-9a-z]{26}$/);
    expect(picked).toMatchObject({ id, origin: 'https://api.example.com' });
    expect((await picked?.open())?.open()).toBe(MARKER);
  });

  it('is nowhere in the store, in what add and list give, or in a print of what was picked', async () => {
    const { store, vault, add, first } = await setUp();
    const added = await add({ label: 'main' });
    const everything = [added, await vault.list(), await first(), [...store.rows.values()]];
    expect(inspect(everything, { depth: 10, showHidden: true })).not.toContain(MARKER);
    for (const { sealed } of store.rows.values()) expect(Buffer.from(sealed).includes(MARKER)).toBe(false);
    expect(Object.keys(added).toSorted()).toEqual(['createdAt', 'id', 'label', 'provider', 'purpose', 'weight']);
  });

  it('shares the runs with the others of its provider, newest first, each by its weight', async () => {
    const { vault, add } = await setUp();
    const older = await add({ weight: 3 });
    const newer = await add({ secret: new Secret('sk_newer') });
    await add({ provider: 'b3os' });
    const pool = await vault.pool(provider);
    expect(pool.map(({ credential, weight }) => [credential.id, weight])).toEqual([
      [newer.id, 1],
      [older.id, 3],
    ]);
    const opened = await Promise.all(pool.map(async ({ credential }) => (await credential.open()).open()));
    expect(opened).toEqual(['sk_newer', MARKER]);
  });

  it.each([0, -1, 1.5, 1001, Number.NaN])('has no weight of %d', async (weight) => {
    const { store, add } = await setUp();
    await expect(add({ weight })).rejects.toMatchObject({ code: 'invalid_request', details: { param: 'weight' } });
    expect(store.rows.size).toBe(0);
  });

  it('keeps its state, whose others are as they were, until it is removed', async () => {
    const { store, states, vault, add } = await setUp();
    const one = await add();
    const other = await add();
    vault.mark('ai-tutor', one.id, REFUSED);
    const statesOf = async () => (await vault.pool(provider)).map(({ state }) => state.is);
    expect(await statesOf()).toEqual(['usable', 'set_aside']);
    await states.idle();
    expect(store.known.size).toBe(1);
    await vault.remove(one.id);
    await states.idle();
    expect(store.known.size).toBe(0);
    expect(states.of('ai-tutor', one.id)).toEqual({ is: 'usable' });
    expect((await vault.pool(provider)).map(({ credential }) => credential.id)).toEqual([other.id]);
  });

  it('that a run is pinned to is reopened for the address of that run', async () => {
    const { vault, add } = await setUp();
    const { id } = await add();
    await add({ secret: new Secret('sk_newer') });
    const pinned = await vault.reopen({ id, provider: 'ai-tutor', baseUrl: 'http://127.0.0.1:9/x' });
    expect(pinned?.origin).toBe('http://127.0.0.1:9');
    expect((await pinned?.open())?.open()).toBe(MARKER);
  });

  it('is reopened only for where the configuration sends it, which is asked by provider and origin', async () => {
    const asked: unknown[] = [];
    const { vault, add } = await setUp({}, { mayUse: (use) => asked.push(use) > 1 });
    const { id } = await add();
    const pinned = { id, provider: 'ai-tutor', baseUrl: 'https://API.example.com:443/v1' };
    expect(await vault.reopen(pinned)).toBeNull();
    expect(await vault.reopen(pinned)).toMatchObject({ id, origin: 'https://api.example.com' });
    expect(asked[0]).toEqual({ provider: 'ai-tutor', origin: 'https://api.example.com', reference: null });
    expect(await vault.reopen({ ...pinned, baseUrl: 'no URL' })).toBeNull();
  });

  it('is not used for runs when it is for webhooks', async () => {
    const { add, first } = await setUp();
    await add({ purpose: 'webhook' });
    expect(await first()).toBeNull();
  });

  it('is gone once it was removed', async () => {
    const { vault, add, first } = await setUp();
    const { id } = await add();
    expect(await vault.remove(id)).toBe(true);
    expect(await vault.remove(id)).toBe(false);
    expect(await first()).toBeNull();
    expect(await vault.reopen({ id, provider: 'ai-tutor', baseUrl: provider.baseUrl })).toBeNull();
  });

  it('does not reopen for another provider', async () => {
    const { vault, add } = await setUp();
    const { id } = await add();
    expect(await vault.reopen({ id, provider: 'b3os', baseUrl: provider.baseUrl })).toBeNull();
  });

  it('does not open in a row that it was moved to', async () => {
    const { store, add, first } = await setUp();
    const own = await add();
    const other = await add({ provider: 'b3os', secret: new Secret('b3sk_other') });
    const [ownRow, otherRow] = [store.rows.get(own.id), store.rows.get(other.id)];
    if (!ownRow || !otherRow) throw new Error('the rows are there');
    store.rows.set(other.id, { ...otherRow, sealed: ownRow.sealed });
    const moved = await first({ ...provider, name: 'b3os' });
    await expect(moved?.open()).rejects.toMatchObject({ code: 'vault_unavailable' });
  });

  it('names the master key that is missing', async () => {
    const { store, add, first } = await setUp();
    const { id } = await add();
    const strange = await setUp();
    const row = store.rows.get(id);
    if (row) strange.store.rows.set(id, row);
    const picked = await strange.first();
    await expect(picked?.open()).rejects.toThrow(/master key [0-9a-f]{16} is not there/);
    expect((await (await first())?.open())?.open()).toBe(MARKER);
  });
});

describe('a secret', () => {
  it('loses one line break at its end, which is the shell’s', async () => {
    const { add, first } = await setUp();
    await add({ secret: new Secret('sk_1\n') });
    expect((await (await first())?.open())?.open()).toBe('sk_1');
    await add({ secret: new Secret('sk_2\r\n') });
    expect((await (await first())?.open())?.open()).toBe('sk_2');
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
    const { store, add } = await setUp();
    const refusal = await add({ secret: new Secret(text) }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'invalid_request', details: { param: 'secret' } });
    expect(inspect(refusal)).not.toMatch(/sk_m/);
    expect(store.rows.size).toBe(0);
  });

  it('has a label that prints on one line', async () => {
    const { add } = await setUp();
    await expect(add({ label: 'a\u001b[31m' })).rejects.toMatchObject({ details: { param: 'label' } });
    await expect(add({ label: '' })).rejects.toMatchObject({ details: { param: 'label' } });
    expect((await add({ label: 'the team’s' })).label).toBe('the team’s');
    expect((await add({ label: 'x'.repeat(100) })).label).toHaveLength(100);
    await expect(add({ label: 'x'.repeat(101) })).rejects.toMatchObject({ details: { param: 'label' } });
  });
});

describe('a reference', () => {
  it('goes before the store; those that name something share the runs, in the order of the configuration', async () => {
    const { vault, add } = await setUp({ 'env:B': 'sk_b', 'env:C': 'sk_c' });
    await add();
    vault.mark('ai-tutor', 'env:C', REFUSED);
    const pool = await vault.pool({ ...provider, credentials: [A, B, C] });
    expect(pool).toMatchObject([
      { credential: { id: 'env:B', origin: 'https://api.example.com' }, weight: 2, state: { is: 'usable' } },
      { credential: { id: 'env:C', origin: 'https://api.example.com' }, weight: 1, state: REFUSED },
    ]);
    expect((await pool[0]?.credential.open())?.open()).toBe('sk_b');
  });

  it('that names nothing is not replaced by what the store has', async () => {
    const { add, first } = await setUp();
    await add();
    expect(await first({ ...provider, credentials: [A] })).toBeNull();
  });

  it('is reopened by its name and read anew each time', async () => {
    const environment: Record<string, string> = { 'env:A': 'sk_old' };
    const { vault } = await setUp(environment);
    const pinned = await vault.reopen({ id: 'env:A', provider: 'ai-tutor', baseUrl: provider.baseUrl });
    environment['env:A'] = 'sk_new\n';
    expect((await pinned?.open())?.open()).toBe('sk_new');
    delete environment['env:A'];
    await expect(pinned?.open()).rejects.toMatchObject({ code: 'no_credential' });
    expect(await vault.reopen({ id: 'env:A', provider: 'ai-tutor', baseUrl: provider.baseUrl })).toBeNull();
  });

  it('is not given out where its provider has moved since, even while it is read', async () => {
    let listed = true;
    const { vault } = await setUp({ 'env:A': 'sk_a' }, { mayUse: ({ reference }) => listed && reference === 'env:A' });
    const pinned = { id: 'env:A', provider: 'ai-tutor', baseUrl: provider.baseUrl };
    expect(await vault.reopen({ ...pinned, id: 'env:B' })).toBeNull();
    const opening = (await vault.reopen(pinned))?.open();
    listed = false;
    await expect(opening).rejects.toMatchObject({ code: 'no_credential' });
    expect(await vault.reopen(pinned)).toBeNull();
  });

  it('that its vendor refused is tried again where the secret has changed, at once and whenever runs look', async () => {
    const changed = new Set<string>();
    const { vault } = await setUp({ 'env:B': 'sk_b', 'env:C': 'sk_c' }, { changed });
    const stateOfB = async () => (await vault.pool({ ...provider, credentials: [B, C] }))[0]?.state;
    vault.mark('ai-tutor', 'env:B', REFUSED);
    await Promise.resolve();
    expect(await stateOfB()).toEqual(REFUSED);
    changed.add('env:B');
    await stateOfB();
    expect(await stateOfB()).toEqual({ is: 'usable' });
    vault.mark('ai-tutor', 'env:B', REFUSED);
    await Promise.resolve();
    expect(await stateOfB()).toEqual({ is: 'usable' });
  });

  it('that its vendor limits rests, whatever has changed', async () => {
    const { vault } = await setUp({ 'env:B': 'sk_b', 'env:C': 'sk_c' }, { changed: new Set(['env:B']) });
    const resting = { is: 'resting', until: Date.now() + 60_000 } as const;
    vault.mark('ai-tutor', 'env:B', resting);
    const stateOfB = async () => (await vault.pool({ ...provider, credentials: [B, C] }))[0]?.state;
    await stateOfB();
    expect(await stateOfB()).toEqual(resting);
  });

  it('to a file or a server tells callers neither path', async () => {
    const file = { reference: 'file:/hidden/path', weight: 1 };
    const environment: Record<string, string> = { 'file:/hidden/path': 'sk_mar ker' };
    const { first } = await setUp(environment);
    const picked = await first({ ...provider, credentials: [file] });
    await expect(picked?.open()).rejects.toMatchObject({ code: 'vault_unavailable' });
    await expect(picked?.open()).rejects.not.toThrow(/hidden/);
    delete environment['file:/hidden/path'];
    await expect(picked?.open()).rejects.toMatchObject({ code: 'no_credential' });
    await expect(picked?.open()).rejects.not.toThrow(/hidden/);
  });

  it('to something that no header can carry is a fault of the vault', async () => {
    const { first } = await setUp({ 'env:A': 'sk_mar ker' });
    const picked = await first({ ...provider, credentials: [A] });
    await expect(picked?.open()).rejects.toMatchObject({ code: 'vault_unavailable' });
    await expect(picked?.open()).rejects.not.toThrow(/sk_/);
  });
});

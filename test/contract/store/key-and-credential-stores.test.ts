import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredKey } from '../../../src/access/ports.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import type { StoredCredential, StoredCredentialState, StoredWebhookSecret } from '../../../src/vault/ports.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';

const ENGINES: [string, Partial<StoreOptions>][] = [
  ['SQLite, writer in a worker thread', { writer: 'worker' }],
  ['SQLite, writer inline', { writer: 'inline' }],
  ['SQLite in memory', { url: 'sqlite::memory:' }],
];

describe.each(ENGINES)('keys and credentials (%s)', (_name, options) => {
  let place: TestPlace;
  let store: Store;

  beforeEach(async () => {
    place = createTestPlace(options);
    store = await place.open();
  });
  afterEach(() => place.remove());

  const key = (overrides: Partial<StoredKey> = {}): StoredKey => ({
    id: 'a1',
    name: 'support desk',
    role: 'runs',
    lineage: 'a1',
    secretHash: Uint8Array.from({ length: 32 }, (_, i) => 255 - i),
    allowedWorkflows: ['summarize-ticket'],
    allowedProviders: ['ai-tutor/wf_1'],
    limits: { requestsPerMinute: null, concurrentRuns: null, runsPerDay: null },
    origins: [],
    createdAt: 1_000,
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
    ...overrides,
  });

  const credential = (overrides: Partial<StoredCredential> = {}): StoredCredential => ({
    id: 'cred_1',
    provider: 'ai-tutor',
    label: null,
    purpose: 'api',
    sealed: new Uint8Array([1, 0, 2, 255]),
    createdAt: 1_000,
    weight: 1,
    ...overrides,
  });

  it('keeps keys as they were given', async () => {
    const expiring = key({ id: 'a2', role: 'admin', allowedWorkflows: [], expiresAt: 5_000, createdAt: 2_000 });
    await Promise.all([store.keys.insert(key()), store.keys.insert(expiring)]);
    expect(await store.keys.find('a1')).toEqual(key());
    expect(await store.keys.find('nobody')).toBeNull();
    expect(await store.keys.list()).toEqual([expiring, key()]);
  });

  it('keeps what a key may use up, each limit by itself', async () => {
    const all = key({ limits: { requestsPerMinute: 60, concurrentRuns: 5, runsPerDay: 1_000 } });
    const one = key({ id: 'a2', limits: { requestsPerMinute: null, concurrentRuns: 7, runsPerDay: null } });
    await store.keys.insert(all);
    await store.keys.replace('a1', one, 9_000);
    expect(await store.keys.list()).toEqual([one, { ...all, expiresAt: 9_000 }]);
    expect(await store.keys.find('a2')).toEqual(one);
  });

  it('never lets one key replace another', async () => {
    await store.keys.insert(key());
    await expect(store.keys.insert(key({ name: 'thief' }))).rejects.toMatchObject({ code: 'internal' });
    expect(await store.keys.find('a1')).toEqual(key());
  });

  it('revokes a key once, at the first time given', async () => {
    await store.keys.insert(key());
    expect(await store.keys.revoke('a1', 3_000)).toBe(true);
    expect(await store.keys.revoke('a1', 4_000)).toBe(true);
    expect(await store.keys.revoke('nobody', 4_000)).toBe(false);
    expect(await store.keys.find('a1')).toEqual(key({ revokedAt: 3_000 }));
  });

  it('replaces a key in one step, and never lengthens the life of the old one', async () => {
    await store.keys.insert(key());
    const successor = key({ id: 'a2', createdAt: 2_000 });
    expect(await store.keys.replace('a1', successor, 9_000)).toBe(true);
    expect(await store.keys.list()).toEqual([successor, key({ expiresAt: 9_000 })]);
    const another = key({ id: 'a3', createdAt: 3_000 });
    // One successor at a time.
    expect(await store.keys.replace('a1', another, 99_000)).toBe(false);
    expect(await store.keys.find('a3')).toBeNull();
    await store.keys.revoke('a2', 3_000);
    expect(await store.keys.replace('a1', another, 99_000)).toBe(true);
    expect(await store.keys.find('a1')).toEqual(key({ expiresAt: 9_000 }));
  });

  it('replaces no key that is revoked or unknown, and changes nothing where the new one cannot be', async () => {
    await store.keys.insert(key());
    await store.keys.insert(key({ id: 'a2', lineage: 'another' }));
    await expect(store.keys.replace('a1', key({ id: 'a2' }), 9_000)).rejects.toMatchObject({ code: 'internal' });
    expect(await store.keys.find('a1')).toEqual(key());
    await store.keys.revoke('a1', 3_000);
    expect(await store.keys.replace('a1', key({ id: 'a3' }), 9_000)).toBe(false);
    expect(await store.keys.replace('nobody', key({ id: 'a3' }), 9_000)).toBe(false);
    expect(await store.keys.find('a3')).toBeNull();
  });

  it('keeps sealed credentials byte for byte, newest first', async () => {
    const second = credential({ id: 'cred_2', label: 'backup', purpose: 'webhook', createdAt: 2_000, weight: 9 });
    const other = credential({ id: 'cred_3', provider: 'b3os', createdAt: 3_000 });
    for (const one of [credential(), second, other]) await store.credentials.insert(one);
    expect(await store.credentials.get('cred_1')).toEqual(credential());
    expect(await store.credentials.get('cred_9')).toBeNull();
    expect(await store.credentials.list()).toEqual([other, second, credential()]);
    expect(await store.credentials.list('ai-tutor')).toEqual([second, credential()]);
  });

  it('removes a credential once', async () => {
    await store.credentials.insert(credential());
    expect(await store.credentials.remove('cred_1')).toBe(true);
    expect(await store.credentials.remove('cred_1')).toBe(false);
    expect(await store.credentials.get('cred_1')).toBeNull();
  });

  describe('what vendors made of credentials', () => {
    const setAside = (overrides: Partial<StoredCredentialState> = {}): StoredCredentialState => ({
      provider: 'ai-tutor',
      credentialId: 'cred_1',
      state: 'set_aside',
      code: 'upstream_auth_failed',
      at: 1_000,
      until: null,
      ...overrides,
    });
    const resting = setAside({ credentialId: 'env:AI_TUTOR_KEY', state: 'resting', code: null, until: 9_000 });
    const stateOf = async ({ credentialId, provider }: StoredCredentialState) =>
      (await store.credentials.states()).filter(
        (state) => state.credentialId === credentialId && state.provider === provider,
      );

    it('is kept for stored ones and for references, at each provider', async () => {
      const elsewhere = { ...resting, provider: 'b3os', until: 5_000 };
      expect(await store.credentials.states()).toEqual([]);
      for (const state of [setAside(), resting, elsewhere]) await store.credentials.putState(state, state);
      expect(await store.credentials.states()).toHaveLength(3);
      for (const state of [setAside(), resting, elsewhere]) expect(await stateOf(state)).toEqual([state]);
    });

    it('is replaced by what is known later, and gone once it may be used again', async () => {
      const later = setAside({ state: 'resting', code: null, at: 2_000, until: 12_000 });
      await store.credentials.putState(resting, resting);
      await store.credentials.putState(later, setAside());
      await store.credentials.putState(later, later);
      expect(await stateOf(later)).toEqual([later]);
      await store.credentials.putState(later, null);
      await store.credentials.putState(later, null);
      expect(await store.credentials.states()).toEqual([resting]);
    });

    it('goes with the credential', async () => {
      await store.credentials.insert(credential());
      await store.credentials.putState(setAside(), setAside());
      await store.credentials.putState(resting, resting);
      expect(await store.credentials.remove('cred_1')).toBe(true);
      expect(await store.credentials.states()).toEqual([resting]);
    });
  });

  describe('the secrets that sign webhooks', () => {
    const secret = (overrides: Partial<StoredWebhookSecret> = {}): StoredWebhookSecret => ({
      id: 'whs_1',
      lineage: 'a1',
      sealed: new Uint8Array([1, 0, 2, 255]),
      createdAt: 1_000,
      expiresAt: null,
      ...overrides,
    });

    const replace = (successor: StoredWebhookSecret, oldExpiresAt: number, validMax = 8) =>
      store.webhookSecrets.replace(successor, { oldExpiresAt, validMax });

    it('are kept byte for byte, each lineage its own', async () => {
      const other = secret({ lineage: 'a2', id: 'whs_2' });
      await replace(secret(), 0);
      await replace(other, 0);
      expect(await store.webhookSecrets.list('a1')).toEqual([secret()]);
      expect(await store.webhookSecrets.list('a2')).toEqual([other]);
      expect(await store.webhookSecrets.list('a3')).toEqual([]);
    });

    it('stay valid beside their successor, newest first, and never longer than they were', async () => {
      const now = place.clock.now();
      const second = secret({ id: 'whs_2', createdAt: 2_000 });
      const third = secret({ id: 'whs_3', createdAt: 3_000 });
      await replace(secret(), now);
      await replace(second, now + 1_000);
      expect(await store.webhookSecrets.list('a1')).toEqual([second, secret({ expiresAt: now + 1_000 })]);
      await replace(third, now + 9_000);
      const first = secret({ expiresAt: now + 1_000 });
      expect(await store.webhookSecrets.list('a1')).toEqual([third, { ...second, expiresAt: now + 9_000 }, first]);
    });

    it('are deleted by a later one once they have expired', async () => {
      const now = place.clock.now();
      await replace(secret(), now);
      await replace(secret({ id: 'whs_2', createdAt: 2_000 }), now + 1_000);
      await replace(secret({ id: 'whs_9', lineage: 'a2', expiresAt: now + 1_000 }), now);
      place.clock.advance(1_000);
      await replace(secret({ id: 'whs_3', createdAt: 3_000 }), now + 9_000);
      expect((await store.webhookSecrets.list('a1')).map(({ id }) => id)).toEqual(['whs_3', 'whs_2']);
      expect(await store.webhookSecrets.list('a2')).toHaveLength(1);
    });

    it('are never more than may be, however many come at once', async () => {
      const now = place.clock.now();
      const many = Array.from({ length: 5 }, (_, i) => secret({ id: `whs_${i}`, createdAt: i }));
      const made = await Promise.all(many.map((one) => replace(one, now + 1_000, 3)));
      expect(made).toEqual([true, true, true, false, false]);
      expect(await store.webhookSecrets.list('a1')).toHaveLength(3);
      expect(await replace(secret({ id: 'whs_other', lineage: 'a2' }), now, 3)).toBe(true);
      place.clock.advance(1_000);
      expect(await replace(secret({ id: 'whs_9', createdAt: 9 }), now, 3)).toBe(true);
    });

    it('change nothing where the new one cannot be', async () => {
      await replace(secret(), 0);
      await expect(replace(secret(), 5_000)).rejects.toMatchObject({ code: 'internal' });
      expect(await store.webhookSecrets.list('a1')).toEqual([secret()]);
    });
  });

  it('knows the master keys it was told of', async () => {
    expect(await store.credentials.masterKeys()).toEqual([]);
    await store.credentials.addMasterKey('first');
    place.clock.advance(1);
    await store.credentials.addMasterKey('second');
    await store.credentials.addMasterKey('first');
    expect(await store.credentials.masterKeys()).toEqual(['first', 'second']);
  });
});

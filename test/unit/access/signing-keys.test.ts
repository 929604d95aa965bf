import { describe, expect, it } from 'vitest';
import { createSigningKeys } from '../../../src/access/signing-keys.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { accessParts, TEST_BOX, testClock } from '../../support/access-parts.ts';
import { memorySigningKeyStore } from '../../support/memory-stores.ts';

const random = createSystemRandom();
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

function setUp(clock = testClock()) {
  const store = memorySigningKeyStore();
  const counted = { lists: 0 };
  const counting = { ...store, list: () => ((counted.lists += 1), store.list()) };
  const open = () => createSigningKeys({ store: counting, box: TEST_BOX, clock, random });
  return { clock, store, counted, open, keys: open() };
}

describe('signing keys', () => {
  it('are made when the first token is wanted, and are one for all who want it at once', async () => {
    const { store, keys } = setUp();
    expect(store.rows).toEqual([]);
    const all = await Promise.all(Array.from({ length: 20 }, () => keys.current()));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(store.rows).toHaveLength(1);
    expect(all[0]?.secret.symmetricKeySize).toBe(32);
  });

  it('are used by the next process', async () => {
    const { keys, open } = setUp();
    const { id } = await keys.current();
    expect((await open().current()).id).toBe(id);
  });

  it('of another process are used, also by one that has looked just before', async () => {
    const { keys, open, counted } = setUp();
    await keys.find('sgn_none');
    const { id } = await open().current();
    expect((await keys.current()).id).toBe(id);
    const before = counted.lists;
    for (let i = 0; i < 10; i++) await keys.current();
    expect(counted.lists).toBe(before);
  });

  it('sign for a day', async () => {
    const { clock, keys, store } = setUp();
    const { id } = await keys.current();
    clock.pass(DAY_MS - 1);
    expect((await keys.current()).id).toBe(id);
    clock.pass(1);
    const next = await keys.current();
    expect(next.id).not.toBe(id);
    expect(store.rows.map((row) => row.id)).toEqual([next.id, id]);
  });

  it('count until the last token made with them has ended, and no longer', async () => {
    const { clock, keys, store } = setUp();
    const { id } = await keys.current();
    const [row] = store.rows;
    // The last token is made at the end of the day, and lives for an hour.
    expect(row?.expiresAt).toBeGreaterThanOrEqual(clock.now() + DAY_MS + HOUR_MS);
    clock.pass(DAY_MS + HOUR_MS);
    await keys.current();
    expect(await keys.find(id)).not.toBeNull();
    clock.pass(HOUR_MS);
    expect(await keys.find(id)).toBeNull();
  });

  it('keep every token good across the change', async () => {
    const clock = testClock();
    const parts = await accessParts({}, clock);
    await parts.issue();
    clock.pass(DAY_MS - 1_000);
    const last = await parts.issue({ ttlS: 3600 });
    clock.pass(2_000);
    const first = await parts.issue({ ttlS: 3600 });
    expect(parts.store.rows).toHaveLength(2);
    clock.pass(HOUR_MS - 3_000);
    await parts.tokens.verify(last);
    await parts.tokens.verify(first);
  });

  it('of another process are found, and made-up ones cost one look a second', async () => {
    const { clock, counted, keys, open } = setUp();
    const other = open();
    await keys.find('sgn_none');
    clock.pass(1_000);
    const { id } = await other.current();
    expect((await keys.find(id))?.id).toBe(id);
    const before = counted.lists;
    for (let i = 0; i < 1_000; i++) expect(await keys.find(`sgn_${i}`)).toBeNull();
    expect(counted.lists - before).toBe(0);
    clock.pass(1_000);
    await Promise.all(Array.from({ length: 100 }, (_, i) => keys.find(`sgn_${i}`)));
    expect(counted.lists - before).toBe(1);
    expect((await keys.find(id))?.id).toBe(id);
  });

  it('that were made while the store was read are not lost', async () => {
    const clock = testClock();
    const store = memorySigningKeyStore();
    const inserting = Promise.withResolvers<void>();
    const listing = Promise.withResolvers<void>();
    let isListSlow = false;
    const slow: typeof store = {
      ...store,
      async list() {
        const rows = await store.list();
        if (isListSlow) await listing.promise;
        return rows;
      },
      async insert(key) {
        await inserting.promise;
        await store.insert(key);
      },
    };
    const keys = createSigningKeys({ store: slow, box: TEST_BOX, clock, random });
    const making = keys.current();
    await new Promise((resolve) => setImmediate(resolve));
    clock.pass(1_000);
    isListSlow = true;
    const reading = keys.find('sgn_none');
    await new Promise((resolve) => setImmediate(resolve));
    inserting.resolve();
    const { id } = await making;
    // Its rows were read before the new one was there.
    listing.resolve();
    expect(await reading).toBeNull();
    expect((await keys.find(id))?.id).toBe(id);
  });

  it('do not sign for ever where the clock was set back', async () => {
    const clock = testClock();
    const { keys, store } = setUp(clock);
    const { id } = await keys.current();
    clock.jump(-HOUR_MS);
    const next = await keys.current();
    expect(next.id).not.toBe(id);
    expect(store.rows).toHaveLength(2);
  });

  it('that cannot be opened say so, and nothing is signed', async () => {
    const { store, clock } = setUp();
    const broken = new Error('the vault is away');
    const box = { ...TEST_BOX, open: () => Promise.reject(broken) };
    const keys = createSigningKeys({ store, box, clock, random });
    await expect(keys.current()).rejects.toBe(broken);
  });

  it('that could not be stored are made again', async () => {
    const { store, clock } = setUp();
    let fails = true;
    const insert: typeof store.insert = (key) => (fails ? Promise.reject(new Error('full')) : store.insert(key));
    const keys = createSigningKeys({ store: { ...store, insert }, box: TEST_BOX, clock, random });
    await expect(keys.current()).rejects.toThrow('full');
    fails = false;
    await keys.current();
    expect(store.rows).toHaveLength(1);
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredSigningKey } from '../../../src/access/ports.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import {
  RetiredMasterKeyError,
  type SealedColumn,
  type SealedRow,
  type StoredCredential,
  type StoredWebhookSecret,
} from '../../../src/vault/ports.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';

const OLD = '00112233445566ff';
const NEW = 'ffeeddccbbaa0011';

/** Bytes that begin as a sealed box does. */
const box = (version: number, fingerprint: string, rest = 0) =>
  Uint8Array.from([version, ...Buffer.from(fingerprint, 'hex'), 9, 9, rest]);

/** What every engine does alike for what is sealed: its rotation, and the retiring of master keys. */
export function sealedSuite(name: string, options: Partial<StoreOptions>): void {
  describe(`what is sealed (${name})`, () => {
    let place: TestPlace;
    let store: Store;

    beforeEach(async () => {
      place = createTestPlace(options);
      store = await place.open();
    });
    afterEach(() => place.remove());

    const credential = (sealed: Uint8Array, id = 'cred_1'): StoredCredential => {
      return { id, provider: 'ai-tutor', label: null, purpose: 'api', sealed, createdAt: 1_000, weight: 1 };
    };
    const secret = (sealed: Uint8Array, id = 'whs_1'): StoredWebhookSecret => {
      return { id, lineage: 'a1', sealed, createdAt: 1_000, expiresAt: null };
    };
    const signingKey = (sealed: Uint8Array, id = 'tsk_1'): StoredSigningKey => {
      return { id, sealed, createdAt: 1_000, expiresAt: Number.MAX_SAFE_INTEGER };
    };

    const LASTING = { oldExpiresAt: Number.MAX_SAFE_INTEGER, validMax: 100 };
    const writers: [SealedColumn, (sealed: Uint8Array, id?: string) => Promise<unknown>][] = [
      ['credentials.sealed', (sealed, id) => store.credentials.insert(credential(sealed, id))],
      ['webhook_secrets.sealed', (sealed, id) => store.webhookSecrets.replace(secret(sealed, id), LASTING)],
      ['signing_keys.sealed', (sealed, id) => store.signingKeys.insert(signingKey(sealed, id))],
    ];

    const resealed = (rows: readonly SealedRow[], sealed: Uint8Array) => rows.map((row) => ({ row, sealed }));

    describe.each(writers)('in %s', (column, write) => {
      it('is found with its place while it is not of version 2 under the newest master key', async () => {
        await write(box(1, OLD), 'one');
        await write(box(2, OLD), 'two');
        await write(box(1, NEW), 'three');
        await write(box(2, NEW), 'four');
        const found = await store.sealed.others(NEW, 10);
        expect(found.map(({ place: { id } }) => id).toSorted()).toEqual(['one', 'three', 'two']);
        expect(found.find(({ place: { id } }) => id === 'one')).toMatchObject({ column, sealed: box(1, OLD) });
        expect(await store.sealed.others(NEW, 2)).toHaveLength(2);
        expect(await store.sealed.others(NEW, 0)).toEqual([]);
      });

      it('is resealed in its own row, and then no longer found', async () => {
        await write(box(2, OLD, 1), 'one');
        await write(box(2, OLD, 1), 'two');
        const found = (await store.sealed.others(NEW, 10)).filter(({ place: { id } }) => id === 'one');
        expect(await store.sealed.reseal(resealed(found, box(2, NEW, 7)))).toBe(1);
        const left = await store.sealed.others(NEW, 10);
        expect(left.map(({ place: { id } }) => id)).toEqual(['two']);
        const [now] = await store.sealed.others(OLD, 10);
        expect(now).toEqual({ ...found[0], sealed: box(2, NEW, 7) });
      });

      it('is left alone where it changed meanwhile', async () => {
        await write(box(2, OLD, 1), 'one');
        const found = await store.sealed.others(NEW, 10);
        expect(await store.sealed.reseal(resealed(found, box(2, NEW, 2)))).toBe(1);
        expect(await store.sealed.reseal(resealed(found, box(2, NEW, 3)))).toBe(0);
        expect(await store.sealed.others(OLD, 10)).toMatchObject([{ sealed: box(2, NEW, 2) }]);
      });

      it('is counted by master key and version', async () => {
        for (const [i, sealed] of [box(1, OLD), box(2, OLD), box(2, OLD), box(2, NEW)].entries()) {
          await write(sealed, `id_${i}`);
        }
        const counts = await store.sealed.countByMasterKey();
        expect(counts.toSorted((one, other) => one.version - other.version || one.rows - other.rows)).toEqual([
          { column, fingerprint: OLD, version: 1, rows: 1 },
          { column, fingerprint: NEW, version: 2, rows: 1 },
          { column, fingerprint: OLD, version: 2, rows: 2 },
        ]);
      });

      it.each([1, 2])('keeps its master key from being retired (version %i)', async (version) => {
        await store.credentials.addMasterKey(OLD);
        await write(box(version, OLD));
        expect(await store.sealed.retireMasterKey(OLD, 5_000)).toBe(false);
        expect(await store.credentials.masterKeys()).toEqual([OLD]);
        await write(box(2, OLD), 'still allowed');
      });

      it('is refused under a retired master key, whole', async () => {
        await store.sealed.retireMasterKey(OLD, 5_000);
        await write(box(2, NEW), 'one');
        for (const version of [1, 2]) {
          await expect(write(box(version, OLD), 'two')).rejects.toBeInstanceOf(RetiredMasterKeyError);
        }
        const counted = [{ column, fingerprint: NEW, version: 2, rows: 1 }];
        expect(await store.sealed.countByMasterKey()).toEqual(counted);
        const found = await store.sealed.others(OLD, 10);
        await expect(store.sealed.reseal(resealed(found, box(2, OLD)))).rejects.toBeInstanceOf(RetiredMasterKeyError);
        expect(await store.sealed.countByMasterKey()).toEqual(counted);
      });
    });

    it('is resealed over all columns in one call, and only where nothing is under a retired master key', async () => {
      for (const [, write] of writers) await write(box(1, OLD));
      await store.sealed.retireMasterKey('0000000000000000', 1);
      const found = await store.sealed.others(NEW, 10);
      expect(new Set(found.map(({ column }) => column)).size).toBe(3);
      const last = found.at(-1) as SealedRow;
      const wrong = [...resealed(found.slice(0, 2), box(2, NEW)), { row: last, sealed: box(2, '0000000000000000') }];
      await expect(store.sealed.reseal(wrong)).rejects.toBeInstanceOf(RetiredMasterKeyError);
      expect(await store.sealed.others(NEW, 10)).toHaveLength(3);
      expect(await store.sealed.reseal(resealed(found, box(2, NEW)))).toBe(3);
      expect(await store.sealed.others(NEW, 10)).toEqual([]);
      expect(await store.sealed.retireMasterKey(OLD, 5_000)).toBe(true);
    });

    it('never expires the webhook secrets before one that is refused', async () => {
      await store.webhookSecrets.replace(secret(box(2, NEW)), LASTING);
      await store.sealed.retireMasterKey(OLD, 1);
      await expect(
        store.webhookSecrets.replace(secret(box(2, OLD), 'whs_2'), { ...LASTING, oldExpiresAt: 5 }),
      ).rejects.toThrow(RetiredMasterKeyError);
      expect(await store.webhookSecrets.list('a1')).toEqual([secret(box(2, NEW))]);
    });

    it('never lies under a master key that was retired at the same time', async () => {
      await store.credentials.addMasterKey(OLD);
      const results = await Promise.allSettled([
        store.credentials.insert(credential(box(2, NEW), 'before')),
        store.sealed.retireMasterKey(OLD, 5_000),
        store.credentials.insert(credential(box(2, OLD), 'after')),
      ]);
      expect(results[1]).toEqual({ status: 'fulfilled', value: true });
      expect(results[2]).toMatchObject({ status: 'rejected', reason: expect.any(RetiredMasterKeyError) });
    });

    it('has master keys that are known until they are retired, and do not come back', async () => {
      for (const fingerprint of [OLD, NEW]) await store.credentials.addMasterKey(fingerprint);
      expect(await store.sealed.retireMasterKey(OLD, 5_000)).toBe(true);
      expect(await store.sealed.retireMasterKey(OLD, 9_000)).toBe(true);
      await store.credentials.addMasterKey(OLD);
      expect(await store.credentials.masterKeys()).toEqual([NEW]);
      await expect(store.credentials.insert(credential(box(2, OLD)))).rejects.toThrow(RetiredMasterKeyError);
    });

    describe('the keys that sign tokens', () => {
      it('are kept byte for byte, newest first', async () => {
        const first = signingKey(box(2, NEW, 1), 'tsk_1');
        const second = { ...signingKey(box(2, NEW, 2), 'tsk_2'), createdAt: 2_000 };
        await store.signingKeys.insert(first);
        await store.signingKeys.insert(second);
        expect(await store.signingKeys.list()).toEqual([second, first]);
      });

      it('go with what else has served', async () => {
        const now = place.clock.now();
        const lasting = { ...signingKey(box(2, NEW, 2), 'tsk_2'), expiresAt: now + 20 };
        await store.signingKeys.insert({ ...signingKey(box(2, NEW, 1), 'tsk_1'), expiresAt: now + 10 });
        await store.signingKeys.insert(lasting);
        place.clock.advance(9);
        await store.runs.purge(0, 10);
        expect(await store.signingKeys.list()).toHaveLength(2);
        place.clock.advance(1);
        await store.runs.purge(0, 10);
        expect(await store.signingKeys.list()).toEqual([lasting]);
      });

      it('are never two of one id', async () => {
        await store.signingKeys.insert(signingKey(box(2, NEW)));
        await expect(store.signingKeys.insert(signingKey(box(2, NEW)))).rejects.toMatchObject({ code: 'internal' });
      });
    });
  });
}

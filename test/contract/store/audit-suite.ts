import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AUDIT_FIRST_PREVIOUS,
  AUDIT_PAGE_MAX,
  auditHash,
  type AuditEntry,
  type NewAuditEntry,
} from '../../../src/core/audit.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';

/** What every engine does alike for the audit log. */
export function auditSuite(name: string, options: Partial<StoreOptions>): void {
  describe(`the audit log (${name})`, () => {
    let place: TestPlace;
    let store: Store;

    beforeEach(async () => {
      place = createTestPlace(options);
      store = await place.open();
    });
    afterEach(() => place.remove());

    const entry = (overrides: Partial<NewAuditEntry> = {}): NewAuditEntry => ({
      at: 1_000,
      actor: { type: 'key', id: 'a1', from: '192.0.2.7', requestId: 'req_1' },
      action: 'key.revoke',
      target: { type: 'key', id: 'a2' },
      outcome: 'begun',
      details: { reason: 'lost', list: [1, { b: null, a: true }] },
      ...overrides,
    });

    it('is empty at first', async () => {
      expect(await store.audit.head()).toBeNull();
      expect(await store.audit.page({ after: 0, limit: 10 })).toEqual([]);
      expect(await store.audit.pageBefore({ before: null, limit: 10 })).toEqual([]);
    });

    it('keeps entries as they were given, each chained to the one before', async () => {
      const command = entry({
        actor: { type: 'command', id: 'root', from: null, requestId: null },
        action: 'backup.create',
        target: { type: 'store', id: '/var/backups/one' },
        outcome: 'failed',
        details: {},
      });
      const first = await store.audit.append(entry());
      const second = await store.audit.append(command);
      expect(first).toEqual({
        ...entry(),
        seq: 1,
        previous: AUDIT_FIRST_PREVIOUS,
        hash: auditHash(AUDIT_FIRST_PREVIOUS, { ...entry(), seq: 1 }),
      });
      expect(second).toEqual({
        ...command,
        seq: 2,
        previous: first.hash,
        hash: auditHash(first.hash, { ...command, seq: 2 }),
      });
      expect(await store.audit.page({ after: 0, limit: 10 })).toEqual([first, second]);
      expect(await store.audit.head()).toEqual({ seq: 2, hash: second.hash });
    });

    it('keeps what people and vendors write, whatever characters that has', async () => {
      const odd = entry({
        target: { type: 'run', id: 'a\0b\ud800c\u2028"\\' },
        details: { '\ud800': 'x\0y', ключ: '🔑', small: 1e-300, zero: -0 },
      });
      const appended = await store.audit.append(odd);
      const [read] = await store.audit.page({ after: 0, limit: 1 });
      expect(read).toEqual(appended);
      expect(read?.target.id).toBe('a\0b\ud800c\u2028"\\');
      expect(auditHash(AUDIT_FIRST_PREVIOUS, read as AuditEntry)).toBe(appended.hash);
    });

    it('gives one order to entries that come at once', async () => {
      const ids = Array.from({ length: 60 }, (_, i) => `run_${i}`);
      const all = await Promise.all(ids.map((id) => store.audit.append(entry({ target: { type: 'run', id } }))));
      expect(all.map(({ seq }) => seq)).toEqual(ids.map((_, i) => i + 1));
      let previous = AUDIT_FIRST_PREVIOUS;
      for (const one of await store.audit.page({ after: 0, limit: 100 })) {
        expect(one.previous).toBe(previous);
        expect(one.hash).toBe(auditHash(previous, one));
        previous = one.hash;
      }
      expect(await store.audit.head()).toEqual({ seq: 60, hash: previous });
    });

    it('is read in pages from both ends', async () => {
      for (let at = 1; at <= 5; at++) await store.audit.append(entry({ at }));
      const seqs = (entries: AuditEntry[]) => entries.map(({ seq }) => seq);
      expect(seqs(await store.audit.page({ after: 1, limit: 3 }))).toEqual([2, 3, 4]);
      expect(seqs(await store.audit.page({ after: 4, limit: 3 }))).toEqual([5]);
      expect(seqs(await store.audit.pageBefore({ before: null, limit: 2 }))).toEqual([5, 4]);
      expect(seqs(await store.audit.pageBefore({ before: 4, limit: 9 }))).toEqual([3, 2, 1]);
      expect(seqs(await store.audit.pageBefore({ before: 1, limit: 9 }))).toEqual([]);
    });

    it('gives no more at a time than a page holds', async () => {
      await Promise.all(Array.from({ length: AUDIT_PAGE_MAX + 1 }, () => store.audit.append(entry())));
      expect(await store.audit.page({ after: 0, limit: 1e6 })).toHaveLength(AUDIT_PAGE_MAX);
      expect(await store.audit.pageBefore({ before: null, limit: 1e6 })).toHaveLength(AUDIT_PAGE_MAX);
    });

    it('refuses what no entry may hold, and goes on', async () => {
      let deep: NewAuditEntry['details'] = {};
      for (let i = 0; i < 200; i++) deep = { deep };
      for (const details of [{ text: 'x'.repeat(70_000) }, deep]) {
        await expect(store.audit.append(entry({ details }))).rejects.toMatchObject({ code: 'internal' });
      }
      expect(await store.audit.append(entry())).toMatchObject({ seq: 1 });
    });
  });
}

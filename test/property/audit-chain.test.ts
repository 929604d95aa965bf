import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditHash, readAuditEntry, writeAuditEntry, type NewAuditEntry } from '../../src/core/audit.ts';
import { verifyAuditChain } from '../../src/app/audit-chain.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createAuditStore } from '../../src/store/sqlite/audit-store.ts';
import { createExecutor } from '../../src/store/sqlite/execute-operation.ts';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import { createReader } from '../../src/store/sqlite/reader.ts';
import type { Writer } from '../../src/store/sqlite/writer.ts';

const text = fc.string({ unit: 'binary', maxLength: 12 });
const details = fc.dictionary(text, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }) as fc.Arbitrary<JsonObject>;
const entries: fc.Arbitrary<NewAuditEntry> = fc.record({
  at: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  actor: fc.record({
    type: fc.constantFrom('key', 'token', 'command', 'server'),
    id: fc.option(text),
    from: fc.option(text),
    requestId: fc.option(text),
  }),
  action: fc.constantFrom('key.create', 'run.cancel', 'config.reload'),
  target: fc.record({ type: fc.constantFrom('key', 'run', 'setting'), id: text }),
  outcome: fc.constantFrom('begun', 'failed'),
  details,
});
/** Two at least, so that there is one behind the first. */
const logs = fc.array(entries, { minLength: 2, maxLength: 6 });

function written(log: readonly NewAuditEntry[]): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  const executor = createExecutor(db);
  for (const entry of log) executor.execute(['appendAudit', writeAuditEntry(entry)]);
  return db;
}

type AuditRow = { seq: number; previous: string; hash: string; entry: string };

const rowsOf = (db: DatabaseSync) => db.prepare('SELECT * FROM audit ORDER BY seq').all() as unknown as AuditRow[];

/** Whether the log is one chain from its first entry to the head that was known before. */
async function isWhole(db: DatabaseSync, head: { seq: number; hash: string }): Promise<boolean> {
  const reader = createReader({ connect: () => ({ db, check() {}, close() {} }) });
  const { fault } = await verifyAuditChain(createAuditStore({ reader, writer: NO_WRITER }), head);
  return fault === null;
}

const NO_WRITER = new Proxy({} as Writer, {
  get() {
    throw new Error('nothing is written here');
  },
});

function tamper(db: DatabaseSync, sql: string, ...values: SQLInputValue[]): void {
  db.exec('DROP TRIGGER IF EXISTS audit_keeps_entries; DROP TRIGGER IF EXISTS audit_keeps_all');
  db.exec('DROP TRIGGER IF EXISTS audit_keeps_order');
  db.prepare(sql).run(...values);
}

/** The text with one character replaced by another one. */
function changed(value: string, at: number, by: number): string {
  const characters = Array.from(value);
  const index = at % characters.length;
  const old = characters[index]?.codePointAt(0) ?? 0;
  characters[index] = String.fromCodePoint(old === by ? by + 1 : by);
  return characters.join('');
}

const column = fc.constantFrom('previous', 'hash', 'entry');
const anywhere = fc.nat({ max: 10_000 });
const visible = fc.integer({ min: 0x20, max: 0x7e });

describe('the chain of the audit log', () => {
  const headOf = (db: DatabaseSync) => rowsOf(db).at(-1) as AuditRow;

  it('is whole as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(logs, async (log) => {
        const db = written(log);
        expect(await isWhole(db, headOf(db))).toBe(true);
        expect(rowsOf(db)).toHaveLength(log.length);
      }),
    );
  });

  it('shows every change of one character of one row', async () => {
    await fc.assert(
      fc.asyncProperty(logs, column, anywhere, anywhere, visible, async (log, name, row, at, by) => {
        const db = written(log);
        const head = headOf(db);
        const victim = rowsOf(db)[row % log.length] as AuditRow;
        const value = changed(victim[name as 'hash'], at, by);
        tamper(db, `UPDATE audit SET ${name} = ? WHERE seq = ?`, value, victim.seq);
        expect(await isWhole(db, head)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('shows an entry whose hash was made anew to fit', async () => {
    await fc.assert(
      fc.asyncProperty(logs, entries, anywhere, async (log, other, row) => {
        const db = written(log);
        const head = headOf(db);
        const victim = rowsOf(db)[row % log.length] as AuditRow;
        const forged = writeAuditEntry(other);
        fc.pre(forged !== victim.entry);
        const hash = auditHash(victim.previous, { ...readAuditEntry(forged, victim.seq), seq: victim.seq });
        tamper(db, 'UPDATE audit SET entry = ?, hash = ? WHERE seq = ?', forged, hash, victim.seq);
        expect(await isWhole(db, head)).toBe(false);
      }),
    );
  });

  it('shows an entry that is gone, another one in between, and two that changed places', async () => {
    await fc.assert(
      fc.asyncProperty(logs, anywhere, async (log, at) => {
        const head = headOf(written(log));
        const seq = (at % log.length) + 1;

        const shorter = written(log);
        tamper(shorter, 'DELETE FROM audit WHERE seq = ?', seq);
        expect(await isWhole(shorter, head)).toBe(false);
        tamper(shorter, 'UPDATE audit SET seq = seq - 1 WHERE seq > ?', seq);
        expect(await isWhole(shorter, head)).toBe(false);

        const longer = written(log);
        tamper(longer, 'INSERT INTO audit SELECT ? + 1, previous, hash, entry FROM audit WHERE seq = ?', head.seq, seq);
        expect(await isWhole(longer, head)).toBe(false);

        const swapped = written(log);
        tamper(swapped, 'UPDATE audit SET seq = -seq WHERE seq IN (1, ?)', head.seq);
        tamper(swapped, 'UPDATE audit SET seq = ? + 1 + seq WHERE seq < 0', head.seq);
        expect(await isWhole(swapped, head)).toBe(false);
      }),
    );
  });
});

describe('the table of the audit log', () => {
  const entry: NewAuditEntry = {
    at: 1,
    actor: { type: 'server', id: null, from: null, requestId: null },
    action: 'config.load',
    target: { type: 'setting', id: 'rungate.yaml' },
    outcome: 'begun',
    details: {},
  };

  it.each([
    `UPDATE audit SET entry = '{}' WHERE seq = 1`,
    'UPDATE audit SET seq = 9 WHERE seq = 2',
    'DELETE FROM audit WHERE seq = 2',
    'DELETE FROM audit',
    `INSERT OR REPLACE INTO audit VALUES (1, 'p', 'h', '{}')`,
    `REPLACE INTO audit VALUES (2, 'p', 'h', '{}')`,
    `INSERT INTO audit VALUES (1, 'p', 'h', '{}') ON CONFLICT DO UPDATE SET entry = '{}'`,
    `INSERT INTO audit VALUES (9, 'p', 'h', '{}')`,
    `INSERT INTO audit VALUES (-1, 'p', 'h', '{}')`,
  ])('refuses %s', (sql) => {
    const db = written([entry, entry]);
    const before = rowsOf(db);
    expect(() => db.exec(sql)).toThrow('only grows');
    expect(rowsOf(db)).toEqual(before);
  });
});

import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { ENCRYPTED_COLUMNS, encryptedColumn } from '../../../src/store/sqlite/encrypted-columns.ts';
import { migrate } from '../../../src/store/sqlite/migrate.ts';

/** Bytes that are no secret: hashes, which nobody can open. */
const HASHES = ['keys.secret_hash'];

/** Every column that may hold bytes, as `table.column`. STRICT tables hold none in another one. */
function columnsOfBytes(db: DatabaseSync): string[] {
  const rows = db
    .prepare(
      `SELECT t.name || '.' || c.name AS name FROM pragma_table_list t JOIN pragma_table_info(t.name) c
       WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.type IN ('BLOB', 'ANY')`,
    )
    .all() as { name: string }[];
  return rows.map(({ name }) => name).toSorted();
}

describe('the list of encrypted columns', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db);

  it('has every column of bytes that the schema has, but for hashes', () => {
    expect(columnsOfBytes(db)).toEqual([...ENCRYPTED_COLUMNS.map(({ name }) => name), ...HASHES].toSorted());
  });

  it('would be found short by a new column', () => {
    const other = new DatabaseSync(':memory:');
    migrate(other);
    other.exec('CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY, sealed BLOB NOT NULL) STRICT');
    expect(columnsOfBytes(other)).toContain('notes.sealed');
  });

  it('is about tables that hold bytes nowhere else', () => {
    const loose = db.prepare(
      `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0
       AND name NOT LIKE 'sqlite_%'`,
    );
    expect(loose.all()).toEqual([]);
  });

  it.each(ENCRYPTED_COLUMNS.map(({ name }) => name))('names %s in each of its statements', (name) => {
    const [table, column] = name.split('.') as [string, string];
    const { others, count, under, reseal } = encryptedColumn(name);
    for (const sql of [others, count, under]) {
      expect(sql).toContain(`FROM ${table}`);
      expect(sql).toContain(`substr(${column}, `);
    }
    expect(reseal).toMatch(new RegExp(`^UPDATE ${table} SET ${column} = \\? WHERE .* AND ${column} = \\?$`));
  });
});

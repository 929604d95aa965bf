import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { migrate, schemaState } from '../../../src/store/sqlite/migrate.ts';

describe('migrating', () => {
  it('brings an empty database to the current schema, once', () => {
    const db = new DatabaseSync(':memory:');
    expect(schemaState(db)).toBe('older');
    migrate(db);
    expect(schemaState(db)).toBe('current');
    migrate(db);
    expect(schemaState(db)).toBe('current');
  });

  it('runs only the steps that are missing, in order', () => {
    const db = new DatabaseSync(':memory:');
    const first = 'CREATE TABLE one (n INTEGER); PRAGMA user_version = 1';
    migrate(db, [first]);
    migrate(db, [first, 'ALTER TABLE one ADD COLUMN m INTEGER; PRAGMA user_version = 2']);
    db.exec('INSERT INTO one (n, m) VALUES (1, 2)');
    expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 2 });
  });

  it('leaves nothing of steps of which one fails', () => {
    const db = new DatabaseSync(':memory:');
    const steps = ['CREATE TABLE one (n INTEGER); PRAGMA user_version = 1', 'CREATE TABLE one (n INTEGER)'];
    expect(() => migrate(db, steps)).toThrow('already exists');
    expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 0 });
    expect(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()).toEqual({ n: 0 });
    expect(db.isTransaction).toBe(false);
  });
});

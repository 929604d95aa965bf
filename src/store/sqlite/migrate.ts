import type { DatabaseSync } from 'node:sqlite';
import { initial } from './migrations/001-initial.ts';
import { resilience } from './migrations/002-resilience.ts';
import { access } from './migrations/003-access.ts';
import { openError } from './store-errors.ts';

/** `rgat`: marks the file as ours, so that no other program's database is ever migrated. */
const APPLICATION_ID = 0x72676174;

/** In order; the n-th makes schema n. A released one is never edited. */
const MIGRATIONS: readonly string[] = [initial, resilience, access];

const SCHEMA_VERSION = MIGRATIONS.length;

type SchemaState = 'current' | 'older';

/** Compares the file's schema with ours. Refuses files of other programs and of newer versions of this one. */
export function schemaState(db: DatabaseSync): SchemaState {
  const version = pragma(db, 'PRAGMA user_version');
  const empty = version === 0 && pragma(db, 'SELECT count(*) FROM sqlite_schema') === 0;
  if (!empty && pragma(db, 'PRAGMA application_id') !== APPLICATION_ID) {
    throw openError('The database file belongs to another program. Give Rungate a file of its own.');
  }
  if (version > SCHEMA_VERSION) {
    throw openError(
      `The database has schema ${version}, and this Rungate knows schemas up to ${SCHEMA_VERSION}. ` +
        'Run the newer version that wrote it.',
    );
  }
  return version === SCHEMA_VERSION ? 'current' : 'older';
}

/** Brings the schema up to ours in one transaction: all steps or none. The caller holds the serve lock. */
export function migrate(db: DatabaseSync, migrations: readonly string[] = MIGRATIONS): void {
  // Only an empty file takes this one.
  db.exec('PRAGMA auto_vacuum = INCREMENTAL');
  const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'];
  if (mode !== 'wal' && mode !== 'memory') {
    throw openError('The file system cannot hold a write-ahead log. Put the data directory on a local disk.');
  }
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const script of migrations.slice(pragma(db, 'PRAGMA user_version'))) db.exec(script);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function pragma(db: DatabaseSync, sql: string): number {
  const row = db.prepare(sql).get();
  return Number(row === undefined ? 0 : Object.values(row)[0]);
}

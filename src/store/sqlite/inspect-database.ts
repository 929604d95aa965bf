import { DatabaseSync } from 'node:sqlite';
import { GatewayError } from '../../core/errors.ts';
import { schemaState } from './migrate.ts';
import { openError } from './store-errors.ts';

/** The first schema that tells retired master keys from others. */
const RETIRING_SCHEMA = 3;
const MASTER_KEYS = 'SELECT fingerprint FROM master_keys WHERE retired_at IS NULL ORDER BY added_at DESC';
const ALL_MASTER_KEYS = 'SELECT fingerprint FROM master_keys ORDER BY added_at DESC';

/** What there is to say of a database that nobody uses. */
export interface DatabaseFacts {
  schemaVersion: number;
  runs: number;
  /** Fingerprints of the master keys that its credentials need. */
  masterKeys: string[];
}

/**
 * Reads a database file from its first page to its last. Throws `store_unavailable` where it is no database
 * of ours, of a newer version, empty, or damaged.
 */
export function inspectDatabase(path: string, name: string): DatabaseFacts {
  try {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      return factsOf(db, name);
    } finally {
      db.close();
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw openError(`${name} is damaged, or no database.`, error);
  }
}

function factsOf(db: DatabaseSync, name: string): DatabaseFacts {
  db.exec('PRAGMA trusted_schema = OFF');
  schemaState(db);
  const schemaVersion = number(db, 'PRAGMA user_version');
  if (schemaVersion === 0) throw openError(`${name} is empty.`);
  const faults = db
    .prepare('PRAGMA integrity_check(10)')
    .all()
    .map((row) => String(Object.values(row)[0]));
  if (faults[0] !== 'ok') throw openError(`${name} is damaged.`, new Error(faults.join('; ')));
  const masterKeys = db.prepare(schemaVersion < RETIRING_SCHEMA ? ALL_MASTER_KEYS : MASTER_KEYS).all();
  return {
    schemaVersion,
    runs: number(db, 'SELECT count(*) FROM runs'),
    masterKeys: masterKeys.map((row) => String(row['fingerprint'])),
  };
}

function number(db: DatabaseSync, sql: string): number {
  return Number(Object.values(db.prepare(sql).get() ?? {})[0]);
}

import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { DatabaseMovedError } from './store-errors.ts';

/** How long a connection waits for another process's lock. A reader sits on the main thread, so it waits less. */
const WRITER_BUSY_MS = 5_000;
const READER_BUSY_MS = 500;

/** A part of the store's path that exists only in memory, for simulations and tests. */
export const MEMORY = ':memory:';

export interface Connection {
  db: DatabaseSync;
  /** Throws `DatabaseMovedError` where the path no longer leads to the file that is open. */
  check(): void;
  close(): void;
}

/** A file and who it was when the store was opened. */
export interface DatabaseFile {
  path: string;
  identity: string;
}

/** Remembers which file the path leads to. Throws `DatabaseMovedError` where there is none. */
export function identify(path: string): DatabaseFile {
  return { path, identity: identityOf(path) };
}

/** Opens the connection that writes. Each commit is on disk (`synchronous = FULL`) before it returns. */
export function openWriterConnection(file: DatabaseFile): Connection {
  return open(file, WRITER_BUSY_MS, (db) => {
    db.exec('PRAGMA synchronous = FULL');
    // Only macOS knows the difference: there, fsync alone leaves data in the drive's cache.
    db.exec('PRAGMA fullfsync = ON');
    db.exec('PRAGMA cache_size = -8000');
    db.exec('PRAGMA wal_autocheckpoint = 1000');
    db.exec('PRAGMA journal_size_limit = 67108864');
  });
}

/** Opens a connection for point reads. It can write the `-shm` file, which reading a WAL needs, but no row. */
export function openReaderConnection(file: DatabaseFile): Connection {
  return open(file, READER_BUSY_MS, (db) => {
    db.exec('PRAGMA query_only = ON');
    db.exec('PRAGMA cache_size = -4000');
  });
}

/**
 * Opening another file that has taken the place of ours would apply our WAL to it, and lose both;
 * opening none would make an empty one. So only the file that was there first is ever opened.
 */
function open(file: DatabaseFile, timeout: number, configure: (db: DatabaseSync) => void): Connection {
  const check = () => {
    if (identityOf(file.path) !== file.identity)
      throw new DatabaseMovedError("another file is in the database's place");
  };
  check();
  const db = new DatabaseSync(file.path, { timeout });
  try {
    db.exec('PRAGMA temp_store = MEMORY');
    db.exec('PRAGMA trusted_schema = OFF');
    configure(db);
  } catch (error) {
    db.close();
    throw error;
  }
  return { db, check, close: () => db.close() };
}

function identityOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new DatabaseMovedError('the database file is not there');
  return `${stat.dev}:${stat.ino}`;
}

import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { hasCode } from '../../core/durable-files.ts';
import { faultOf, SQLITE } from './store-errors.ts';

export interface ServeLock {
  release(): void;
  /** Lets go and leaves no file behind, where there is no database that a lock could be for. */
  discard(): void;
}

/**
 * Takes the lock that only one serving process may hold, or returns null while another has it.
 * It is an open exclusive transaction on a database of its own: the operating system lets go of it
 * when the process dies, however it dies.
 */
export function tryServeLock(databasePath: string): ServeLock | null {
  const path = `${databasePath}.lock`;
  createFile(path);
  const file = fileAt(path);
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (faultOf(error).sqliteCode === SQLITE.BUSY) return null;
    throw error;
  }
  // Whoever had it before may have discarded the file since it was opened: the next one would lock another.
  if (file === null || file !== fileAt(path)) {
    db.close();
    return null;
  }
  return {
    release: () => db.close(),
    discard() {
      rmSync(path, { force: true });
      db.close();
    },
  };
}

/** An existing file is not opened: closing it again would drop every lock that this process has on it. */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

function fileAt(path: string): string | null {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev} ${stat.ino}`;
}

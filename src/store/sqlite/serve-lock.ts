import { DatabaseSync } from 'node:sqlite';
import { faultOf, SQLITE } from './store-errors.ts';

export interface ServeLock {
  release(): void;
}

/**
 * Takes the lock that only one serving process may hold, or returns null while another has it.
 * It is an open exclusive transaction on a database of its own: the operating system lets go of it
 * when the process dies, however it dies.
 */
export function tryServeLock(databasePath: string): ServeLock | null {
  const db = new DatabaseSync(`${databasePath}.lock`, { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (faultOf(error).sqliteCode === SQLITE.BUSY) return null;
    throw error;
  }
  return { release: () => db.close() };
}

import { GatewayError } from '../core/errors.ts';
import { pathOfUrl } from './open-store.ts';
import { backUpDatabase, databaseIsCurrent, type BackupFacts } from './sqlite/back-up-database.ts';
import { beginRestore, type Restoring } from './sqlite/restore-database.ts';
import { openError } from './sqlite/store-errors.ts';

export type { BackupFacts } from './sqlite/back-up-database.ts';

/** Copies the store, as it is at one moment, into a file that only its owner can read. Throws `store_unavailable`. */
export function backUpStore({ url, file, force }: { url: string; file: string; force: boolean }): BackupFacts {
  return saying('The backup could not be made.', () => backUpDatabase(pathOfUrl(url), file, { force }));
}

/** Whether there is a store of this version's schema. What cannot be read, or is not there, is none. */
export function hasCurrentSchema(url: string): boolean {
  try {
    return databaseIsCurrent(pathOfUrl(url));
  } catch {
    return false;
  }
}

export interface StoreRestore extends Omit<Restoring, 'staged'> {
  /** The copy as a store that can be opened, and is closed again before `install`. */
  stagedUrl: string;
}

/** Begins to put a backup into the store's place. `stamp` becomes part of the replaced one's name. */
export function restoreStore({ url, file, stamp }: { url: string; file: string; stamp: string }): StoreRestore {
  const begun = saying('The backup could not be prepared.', () => beginRestore(pathOfUrl(url), file, { stamp }));
  return {
    facts: begun.facts,
    stagedUrl: `sqlite:${begun.staged}`,
    install: () => saying('The backup could not be put into place.', () => begun.install()),
    close: () => begun.close(),
  };
}

/** A person reads it: what was not to be done, and the system's own words. */
function saying<T>(message: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw openError(message, error);
  }
}

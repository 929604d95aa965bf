import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  chmodSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeDirectory, syncPath } from '../../core/durable-files.ts';
import { beginsAsDatabase } from './database-file.ts';
import { inspectDatabase, type DatabaseFacts } from './inspect-database.ts';
import { tryServeLock } from './serve-lock.ts';
import { openError } from './store-errors.ts';

/**
 * A backup on its way into a database's place. It holds the serve lock from beginning to end.
 *
 *   staged     a checked copy of the backup, beside the database; whatever has to be done to it is done there
 *   installed  the copy has the database's name, and the database before it another
 *
 * Until the rename, nothing has happened to the database.
 */
export interface Restoring {
  facts: DatabaseFacts;
  /** Path of the copy. Whoever opens it closes it before `install`. */
  staged: string;
  /** Puts the copy into the database's place. Returns where the replaced one is kept, or null where there was none. */
  install(): string | null;
  /** Lets go of the lock and of what is left of the copy. */
  close(): void;
}

/** Takes the lock and copies the backup. Throws `store_unavailable` with what is in the way. */
export function beginRestore(path: string, file: string, { stamp }: { stamp: string }): Restoring {
  refuseUnusable(file);
  makeDirectory(dirname(resolve(path)));
  const lock = tryServeLock(path);
  if (lock === null) throw openError('A Rungate server is running on this database. Stop it first.');
  let directory: string | null = null;
  const close = () => {
    if (directory !== null) rmSync(directory, { recursive: true, force: true });
    if (existsSync(path)) lock.release();
    else lock.discard();
  };
  try {
    directory = mkdtempSync(`${path}.restore-`);
    chmodSync(directory, 0o700);
    const staged = join(directory, 'staged.db');
    const facts = stage(file, staged);
    const kept = `${path}.replaced-${stamp}`;
    return { facts, staged, install: () => install(staged, path, kept), close };
  } catch (error) {
    close();
    throw error;
  }
}

function refuseUnusable(file: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) throw openError(`There is no file ${file}.`);
  if ((statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw openError(
      `${file} is a database in use: part of it is in ${file}-wal. Restore a file that \`rungate backup\` has made.`,
    );
  }
}

/** Checks the copy, not the original, which may change. */
function stage(file: string, staged: string): DatabaseFacts {
  copyFileSync(file, staged, constants.COPYFILE_EXCL);
  chmodSync(staged, 0o600);
  const facts = inspectDatabase(staged, 'The backup');
  const db = new DatabaseSync(staged);
  try {
    // A copy made by SQLite is in no mode yet.
    db.exec('PRAGMA journal_mode = WAL');
  } finally {
    db.close();
  }
  return facts;
}

function install(staged: string, path: string, kept: string): string | null {
  cutLog(staged);
  if (hasLog(staged)) throw new Error('the copy is still in use');
  syncPath(staged);
  const replaces = existsSync(path);
  if (replaces) keepAside(path, kept);
  renameSync(staged, path);
  syncPath(dirname(resolve(path)));
  return replaces ? kept : null;
}

/** The file keeps its place until the copy takes it, so that at no moment there is none. */
function keepAside(path: string, kept: string): void {
  const whole = cutLog(path);
  if (hasLog(path) && whole) {
    throw openError('Another process has the database open. End it, then restore again.');
  }
  try {
    linkSync(path, kept);
  } catch {
    // This file system has one name for a file.
    copyFileSync(path, kept, constants.COPYFILE_EXCL);
    chmodSync(kept, 0o600);
    syncPath(kept);
  }
  // A log that is left belongs to a database that cannot be opened any more; to the next one it would be poison.
  for (const suffix of ['-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, kept + suffix);
  }
}

/** Writes the log into the database. False where that cannot be done, because the database is beyond reading. */
function cutLog(path: string): boolean {
  // SQLite takes the log of what is no database for a left-over, and deletes it.
  if (!beginsAsDatabase(path)) return false;
  try {
    const db = new DatabaseSync(path, { timeout: 5_000 });
    try {
      db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
    } finally {
      db.close();
    }
    return true;
  } catch {
    return false;
  }
}

/** Who closes a database last removes its log, so a log that is there means that somebody has it open. */
function hasLog(path: string): boolean {
  return existsSync(`${path}-wal`);
}

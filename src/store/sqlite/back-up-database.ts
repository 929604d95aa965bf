import { chmodSync, closeSync, mkdtempSync, openSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { exists, hasCode, syncPath } from '../../core/durable-files.ts';
import { beginsAsDatabase } from './database-file.ts';
import { identify, openWriterConnection } from './connection.ts';
import { inspectDatabase, type DatabaseFacts } from './inspect-database.ts';
import { schemaState } from './migrate.ts';
import { DatabaseMovedError, openError } from './store-errors.ts';

export interface BackupFacts extends DatabaseFacts {
  bytes: number;
}

/**
 * Writes a consistent copy of a database that others may be using, as it is at one moment: SQLite reads in one
 * transaction and keeps nobody from writing. What was deleted is not in it. The copy is whole, checked and on disk
 * before it has its name.
 */
export function backUpDatabase(path: string, file: string, { force }: { force: boolean }): BackupFacts {
  const target = resolve(file);
  refuseOwnFiles(path, target);
  if (exists(target)) {
    if (!force) throw alreadyThere(target);
    refuseStrangers(target);
  }
  const directory = makeDraftDirectory(target);
  try {
    const draft = join(directory, 'draft');
    closeSync(openSync(draft, 'wx', 0o600));
    copyDatabase(path, draft);
    const facts = inspectDatabase(draft, 'The copy');
    syncPath(draft);
    const { size: bytes } = statSync(draft);
    if (!force) reserve(target);
    renameSync(draft, target);
    syncPath(dirname(target));
    return { ...facts, bytes };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Whether the database has this version's schema. Throws where there is none, or it cannot be opened. */
export function databaseIsCurrent(path: string): boolean {
  const connection = openWriterConnection(identify(path));
  try {
    return schemaState(connection.db) === 'current';
  } finally {
    connection.close();
  }
}

function copyDatabase(path: string, draft: string): void {
  try {
    const connection = openWriterConnection(identify(path));
    try {
      schemaState(connection.db);
      connection.db.prepare('VACUUM INTO ?').run(draft);
    } finally {
      connection.close();
    }
  } catch (error) {
    if (error instanceof DatabaseMovedError) throw openError(`There is no database at ${path} to back up.`, error);
    throw error;
  }
}

/** A copy in the database's own place would be its end. */
function refuseOwnFiles(path: string, target: string): void {
  const own = exists(path) ? realpathSync(path) : resolve(path);
  const real = exists(target) ? realpathSync(target) : target;
  if (['', '-wal', '-shm', '-journal', '.lock', '.lock-journal'].some((suffix) => real === own + suffix)) {
    throw openError('A backup cannot take the place of a file of the database itself. Give it another name.');
  }
}

/** `--force` is for replacing an older backup, not a device or a file of another kind, such as a master key. */
function refuseStrangers(target: string): void {
  const stat = statSync(target);
  if (stat.isFile() && (stat.size === 0 || beginsAsDatabase(target))) return;
  throw openError(`${target} is no backup, so it is not replaced. Give another name.`);
}

/** Beside the target, so that the last step is a rename; nobody else may look into it. */
function makeDraftDirectory(target: string): string {
  try {
    const directory = mkdtempSync(join(dirname(target), `.${basename(target)}-`));
    chmodSync(directory, 0o700);
    return directory;
  } catch (error) {
    const directory = dirname(target);
    if (hasCode(error, 'ENOENT')) throw openError(`There is no directory ${directory}. Make it first.`, error);
    throw openError(`Nothing can be written in ${directory}.`, error);
  }
}

/** Takes the name for ourselves: a rename alone would replace a file that came in the meantime. */
function reserve(target: string): void {
  try {
    closeSync(openSync(target, 'wx', 0o600));
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw alreadyThere(target);
    throw error;
  }
}

function alreadyThere(target: string): Error {
  return openError(`${target} is there already. Give another name, or --force to replace it.`);
}

import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Sees that a power cut forgets neither a file's content nor, for a directory, the names in it. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Makes a directory that only its owner can enter, and those above it that are missing; a power cut forgets none of
 * them. One by one: Node's own way never comes back where a file system such as `/proc` takes no directory. Several
 * processes may do so at once: who comes second finds it made.
 */
export function makeDirectory(directory: string): void {
  try {
    if (!makeOne(directory)) return;
  } catch (error) {
    const parent = dirname(directory);
    if (!hasCode(error, 'ENOENT') || parent === directory) throw error;
    makeDirectory(parent);
    if (!makeOne(directory)) return;
  }
  syncPath(dirname(directory));
}

/** False where it is there. */
function makeOne(directory: string): boolean {
  try {
    mkdirSync(directory, { mode: 0o700 });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Throws where that cannot be told, as of a directory that may not be entered. */
export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Whether an error of the file system has this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

import { closeSync, openSync, readSync } from 'node:fs';

const MAGIC = Buffer.from('SQLite format 3\0');

/** Whether a file begins as every SQLite database does. */
export function beginsAsDatabase(path: string): boolean {
  const head = Buffer.alloc(MAGIC.length);
  const descriptor = openSync(path, 'r');
  try {
    return readSync(descriptor, head, 0, head.length, 0) === head.length && head.equals(MAGIC);
  } finally {
    closeSync(descriptor);
  }
}

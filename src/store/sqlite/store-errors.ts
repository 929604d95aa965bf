import { GatewayError } from '../../core/errors.ts';

/** SQLite's primary result codes that decide what to do next. */
export const SQLITE = { BUSY: 5, LOCKED: 6, FULL: 13, TOOBIG: 18, CONSTRAINT: 19, MISMATCH: 20, MISUSE: 21 } as const;

/** Faults of the operation itself: it would fail on the healthiest disk, and its neighbours would not. */
const MISTAKES: ReadonlySet<number> = new Set([SQLITE.TOOBIG, SQLITE.CONSTRAINT, SQLITE.MISMATCH, SQLITE.MISUSE]);

/** An error in a form that crosses a thread's border. Messages name tables and columns, never values. */
export interface StoreFault {
  message: string;
  /** SQLite's primary result code; null where the fault is not SQLite's. */
  sqliteCode: number | null;
}

/** Raised where the database file is not the one that was opened. */
export class DatabaseMovedError extends Error {
  override readonly name = 'DatabaseMovedError';
}

/** Reduces what SQLite or Node threw to what is worth passing on. */
export function faultOf(error: unknown): StoreFault {
  const message = error instanceof Error ? error.message : String(error);
  // Node's own refusal of a value, before SQLite has seen it.
  if (error instanceof TypeError || error instanceof RangeError) return { message, sqliteCode: SQLITE.MISUSE };
  const code: unknown = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  // The low byte is the primary code; the rest says which system call it was.
  return { message, sqliteCode: typeof code === 'number' ? code & 0xff : null };
}

/** The error that callers of the store see; a broken rule (a second run of the same id) is our mistake, not the disk's. */
export function storeError(fault: StoreFault): GatewayError {
  const cause = new Error(fault.sqliteCode === null ? fault.message : `SQLite ${fault.sqliteCode}: ${fault.message}`);
  return new GatewayError(isMistake(fault) ? 'internal' : 'store_unavailable', { cause });
}

/** True where the operation is at fault, and not the disk. */
export function isMistake(fault: StoreFault): boolean {
  return fault.sqliteCode !== null && MISTAKES.has(fault.sqliteCode);
}

/** A refusal to open, told to a person. */
export function openError(message: string, cause?: unknown): GatewayError {
  return new GatewayError('store_unavailable', { message, cause });
}

import type { StatementSync } from 'node:sqlite';
import type { Operation, PlainStatement, Row } from './operations.ts';
import { changes } from './statement-calls.ts';

/*
 * Invariant: every key that is neither revoked nor over is in `key_origins` with each of its origins, and no revoked one is.
 */

type Plain = (name: PlainStatement) => StatementSync;

export function insertKey(plain: Plain, row: Row, origins: readonly string[]): null {
  plain('insertKey').run(...row);
  const [id, createdAt] = [row[0] as string, row[7] as number];
  for (const origin of origins) {
    plain('forgetExpiredOrigins').run(origin, createdAt);
    plain('insertKeyOrigin').run(origin, id);
  }
  return null;
}

/** False, with nothing done, where there is no key `id`, or it is revoked or replaced already. */
export function replaceKey(
  plain: Plain,
  [, successor, origins, id, expiresAt]: Operation & { 0: 'replaceKey' },
): boolean {
  if (changes(plain('expireReplacedKey'), [expiresAt, id]) === 0) return false;
  insertKey(plain, successor, origins);
  return true;
}

export function revokeKey(plain: Plain, id: string, at: number): boolean {
  plain('forgetKeyOrigins').run(id);
  return changes(plain('revokeKey'), [at, id]) > 0;
}

export function useKeys(plain: Plain, uses: Row): null {
  const statement = plain('useKey');
  for (let i = 0; i < uses.length; i += 2) statement.run(uses[i] as string, uses[i + 1] as number);
  return null;
}

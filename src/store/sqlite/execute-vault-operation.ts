import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SealedColumn } from '../../vault/ports.ts';
import { ENCRYPTED_COLUMNS } from './encrypted-columns.ts';
import type { Operation, OperationResults, PlainStatement, Row } from './operations.ts';
import { arrays, changes, get } from './statement-calls.ts';

/*
 * Invariant: nothing is ever written that is sealed under a retired master key. Each operation here that writes a sealed
 * box first looks whether its master key is retired, in the transaction that writes it; and a master key is retired in one
 * transaction with a look at every encrypted column.
 */

type VaultStatements = ReturnType<typeof prepareVaultStatements>;

/** Statements over encrypted columns, and the plain ones that are needed beside them. */
export function prepareVaultStatements(db: DatabaseSync, plain: (name: PlainStatement) => StatementSync) {
  return {
    plain,
    under: ENCRYPTED_COLUMNS.map((column) => arrays(db.prepare(column.under))),
    reseal: new Map<SealedColumn, StatementSync>(
      ENCRYPTED_COLUMNS.map((column) => [column.name, db.prepare(column.reseal)]),
    ),
  };
}

export function insertCredential({ plain }: VaultStatements, row: Row): OperationResults['insertCredential'] {
  if (isUnderRetired(plain, row[4] as Uint8Array)) return 'retired';
  plain('insertCredential').run(...row);
  return null;
}

/** Removes what is known of it too. */
export function removeCredential({ plain }: VaultStatements, id: string): boolean {
  plain('deleteCredentialStates').run(id);
  return changes(plain('deleteCredential'), [id]) > 0;
}

export function replaceWebhookSecret(
  { plain }: VaultStatements,
  [, successor, oldExpiresAt, validMax, now]: Operation & { 0: 'replaceWebhookSecret' },
): OperationResults['replaceWebhookSecret'] {
  if (isUnderRetired(plain, successor[2] as Uint8Array)) return 'retired';
  const [lineage] = successor as [string];
  plain('deleteExpiredSecrets').run(lineage, now);
  if ((get(arrays(plain('countSecrets')), [lineage])?.[0] as number) >= validMax) return 'too_many';
  plain('expireSecrets').run(oldExpiresAt, lineage);
  plain('insertSecret').run(...successor);
  return null;
}

export function insertSigningKey({ plain }: VaultStatements, row: Row): OperationResults['insertSigningKey'] {
  if (isUnderRetired(plain, row[1] as Uint8Array)) return 'retired';
  plain('insertSigningKey').run(...row);
  return null;
}

/** A row that is not as its reader saw it is passed over. */
export function reseal(
  { plain, reseal: statements }: VaultStatements,
  [, rows]: Operation & { 0: 'reseal' },
): OperationResults['reseal'] {
  if (rows.some(([, , , after]) => isUnderRetired(plain, after))) return 'retired';
  let changed = 0;
  for (const [column, key, before, after] of rows) {
    const statement = statements.get(column);
    if (statement !== undefined) changed += changes(statement, [after, ...key, before]);
  }
  return changed;
}

/** False while anything is sealed under it. */
export function retireMasterKey(
  { plain, under }: VaultStatements,
  [, fingerprint, at]: Operation & { 0: 'retireMasterKey' },
): boolean {
  if (under.some((statement) => get(statement, [fingerprint]) !== null)) return false;
  plain('retireMasterKey').run(fingerprint, at);
  return true;
}

function isUnderRetired(plain: (name: PlainStatement) => StatementSync, sealed: Uint8Array): boolean {
  return plain('findRetired').get(sealed) !== undefined;
}

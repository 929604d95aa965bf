import type { DatabaseSync } from 'node:sqlite';
import { AUDIT_FIRST_PREVIOUS, auditHash, readAuditEntry } from '../../core/audit.ts';
import type { OperationResults } from './operations.ts';
import { arrays, get } from './statement-calls.ts';

type AuditStatements = ReturnType<typeof prepareAuditStatements>;

/** What the audit log is made longer with. */
export function prepareAuditStatements(db: DatabaseSync) {
  return {
    head: arrays(db.prepare('SELECT seq, hash FROM audit WHERE seq = (SELECT max(seq) FROM audit)')),
    insert: db.prepare('INSERT INTO audit (seq, previous, hash, entry) VALUES (?, ?, ?, ?)'),
  };
}

/**
 * Puts an entry at the end of the chain. The entry before it is read in the transaction that writes this one, which
 * holds the write lock from its beginning: several processes append, and none of them may build on an end that is none.
 */
export function appendAudit(statements: AuditStatements, text: string): OperationResults['appendAudit'] {
  const [lastSeq, previous] = (get(statements.head, []) ?? [0, AUDIT_FIRST_PREVIOUS]) as [number, string];
  const seq = lastSeq + 1;
  const hash = auditHash(previous, { seq, ...readAuditEntry(text, seq) });
  statements.insert.run(seq, previous, hash, text);
  return { seq, previous, hash };
}

import {
  AUDIT_ENTRY_CHARACTERS_MAX,
  AUDIT_PAGE_MAX,
  readAuditEntry,
  writeAuditEntry,
  type AuditEntry,
  type AuditStore,
} from '../../core/audit.ts';
import { GatewayError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { AUDIT_GUARDS } from './migrations/003-access.ts';
import type { Row } from './operations.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** The audit log in SQLite. */
export function createAuditStore({ writer, reader }: { writer: Writer; reader: Reader }): AuditStore {
  return {
    async append(entry) {
      const text = writeAuditEntry(entry);
      if (text.length > AUDIT_ENTRY_CHARACTERS_MAX || !parseJson(text).ok) {
        throw new GatewayError('internal', { cause: new Error('an audit entry is too large, or too deep') });
      }
      const { seq, previous, hash } = await writer.write('appendAudit', text);
      return { seq, previous, hash, ...readAuditEntry(text, seq) };
    },
    async page({ after, limit }) {
      const rows = reader.read((statements) => statements.auditAfter.all(after, Math.min(limit, AUDIT_PAGE_MAX)));
      return rows.map(entryFromRow);
    },
    async pageBefore({ before, limit }) {
      const end = before ?? Number.MAX_SAFE_INTEGER;
      const rows = reader.read((statements) => statements.auditBefore.all(end, Math.min(limit, AUDIT_PAGE_MAX)));
      return rows.map(entryFromRow);
    },
    async missingGuards() {
      const rows = reader.read((statements) => statements.auditTriggers.all());
      const there = new Map(rows.map((row) => row as [string, string]));
      return [...AUDIT_GUARDS].filter(([name, sql]) => there.get(name) !== sql).map(([name]) => name);
    },
    async head() {
      const row = reader.read((statements) => statements.auditHead.get());
      return row === null ? null : { seq: row[0] as number, hash: row[1] as string };
    },
  };
}

function entryFromRow(row: Row): AuditEntry {
  const [seq, previous, hash, text] = row as [number, string, string, string];
  return { seq, previous, hash, ...readAuditEntry(text, seq) };
}

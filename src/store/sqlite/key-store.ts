import type { KeyStore, StoredKey } from '../../access/ports.ts';
import type { Role } from '../../core/caller.ts';
import { reviveJson } from '../../core/json.ts';
import type { Row } from './operations.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** Keys whose last use is written in one operation: other writes get in between. */
const USES_CHUNK = 500;

/** Client keys in SQLite. */
export function createKeyStore({ writer, reader }: { writer: Writer; reader: Reader }): KeyStore {
  return {
    async insert(key) {
      await writer.write('insertKey', insertValues(key), key.origins);
    },
    async find(id) {
      const row = reader.read((statements) => statements.key.get(id));
      return row === null ? null : keyFromRow(row);
    },
    async list() {
      return reader.read((statements) => statements.keys.all()).map(keyFromRow);
    },
    replace: (id, successor, expiresAt) =>
      writer.write('replaceKey', insertValues(successor), successor.origins, id, expiresAt),
    revoke: (id, at) => writer.write('revokeKey', id, at),
    async used(ids) {
      for (let i = 0; i < ids.length; i += USES_CHUNK) {
        const uses = ids.slice(i, i + USES_CHUNK).flatMap(({ id, at }) => [id, at]);
        await writer.write('useKeys', uses);
      }
    },
    async servesOrigin(origin, now) {
      return reader.read((statements) => statements.servesOrigin.get(origin, now)) !== null;
    },
  };
}

function insertValues(key: StoredKey): Row {
  return [
    key.id,
    key.name,
    key.role,
    key.lineage,
    key.secretHash,
    JSON.stringify(key.allowedWorkflows),
    JSON.stringify(key.allowedProviders),
    key.createdAt,
    key.expiresAt,
    key.revokedAt,
    key.limits.requestsPerMinute,
    key.limits.concurrentRuns,
    key.limits.runsPerDay,
    JSON.stringify(key.origins),
    key.lastUsedAt,
  ];
}

function keyFromRow(row: Row): StoredKey {
  return {
    id: row[0] as string,
    name: row[1] as string,
    role: row[2] as Role,
    lineage: row[3] as string,
    secretHash: row[4] as Uint8Array,
    allowedWorkflows: reviveJson<string[]>(row[5] as string),
    allowedProviders: reviveJson<string[]>(row[6] as string),
    limits: {
      requestsPerMinute: row[10] as number | null,
      concurrentRuns: row[11] as number | null,
      runsPerDay: row[12] as number | null,
    },
    origins: reviveJson<string[]>(row[13] as string),
    createdAt: row[7] as number,
    expiresAt: row[8] as number | null,
    revokedAt: row[9] as number | null,
    lastUsedAt: row[14] as number | null,
  };
}

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SealedColumn } from '../../vault/ports.ts';
import { DELIVERY_COLUMNS } from './delivery-row.ts';
import { encryptedColumn } from './encrypted-columns.ts';
import type { Row, Value } from './operations.ts';
import { RUN_COLUMNS } from './run-row.ts';

/** A prepared read. Rows come as arrays in the order of the columns. */
export interface Read {
  get(...values: Value[]): Row | null;
  all(...values: Value[]): Row[];
  /** Reads on while the caller asks for more; the read ends with the loop. */
  each(...values: Value[]): Iterable<Row>;
}

export type ReadStatements = ReturnType<typeof prepareReads>;

/** Every read that the store knows, prepared on one connection. */
export function prepareReads(db: DatabaseSync) {
  const read = (sql: string): Read => toRead(db.prepare(sql));
  return {
    run: read('SELECT ' + RUN_COLUMNS + ' FROM runs WHERE id = ?'),
    runWithPayloads: read('SELECT ' + RUN_COLUMNS + ', inputs, output FROM runs WHERE id = ?'),
    runOfVendor: read(
      'SELECT ' +
        RUN_COLUMNS +
        ' FROM runs WHERE vendor_run_id = ? AND provider = ? AND finished_at IS NULL ORDER BY rowid DESC LIMIT 1',
    ),
    payload: read('SELECT text FROM payloads WHERE run_id = ? AND part = ?'),
    claim: read(`SELECT run_id, fingerprint, created_at FROM idempotency
      WHERE lineage = ? AND subject = ? AND key = ?`),
    runsOfAll: read('SELECT ' + RUN_COLUMNS + ' FROM runs WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ?'),
    runsOfLineage: read(
      'SELECT ' + RUN_COLUMNS + ' FROM runs WHERE lineage = ? AND id > ? AND id < ? ORDER BY id DESC LIMIT ?',
    ),
    log: read('SELECT log FROM runs WHERE id = ?'),
    events: read('SELECT seq, type, at, data FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?'),
    anyDue: read(`SELECT 1 FROM runs WHERE finished_at IS NULL AND owner IS NULL AND due_at <= ?
      AND provider NOT IN (SELECT value FROM json_each(?)) LIMIT 1`),
    queuedShares: read(`SELECT provider, lineage, count(*) FROM runs WHERE status = 'queued' AND owner IS NULL
      GROUP BY provider, lineage`),
    recentStarts: read('SELECT provider, credential_id, at, starts FROM recent_starts WHERE at >= ? ORDER BY at'),
    runsOfDay: read('SELECT runs FROM run_days WHERE day = ? AND lineage = ?'),
    runsOfToken: read('SELECT runs FROM token_runs WHERE token_id = ?'),
    delivery: read('SELECT ' + DELIVERY_COLUMNS + ' FROM deliveries WHERE run_id = ? AND id = ?'),
    // A run's ids end in a number that grows.
    deliveries: read(
      'SELECT ' + DELIVERY_COLUMNS + ' FROM deliveries WHERE run_id = ? ORDER BY created_at, length(id), id',
    ),
    anyDeliveryDue: read(`SELECT 1 FROM deliveries WHERE status = 'pending' AND owner IS NULL AND due_at <= ? LIMIT 1`),
    unfinished: read(`SELECT count(*), count(*) FILTER (WHERE status = 'queued') FROM runs WHERE finished_at IS NULL`),
    oldRuns: read('SELECT id, finished_at, seq FROM runs WHERE id > ? AND id < ? ORDER BY id LIMIT ?'),
    lastBeat: read('SELECT max(beat_at) FROM owners WHERE dead = 0'),
    key: read('SELECT * FROM keys WHERE id = ?'),
    keys: read('SELECT * FROM keys ORDER BY created_at DESC, id DESC'),
    credential: read('SELECT * FROM credentials WHERE id = ?'),
    credentials: read(
      'SELECT * FROM credentials WHERE provider = coalesce(?, provider) ORDER BY created_at DESC, id DESC',
    ),
    credentialStates: read('SELECT provider, credential_id, state, code, at, until FROM credential_states'),
    webhookSecrets: read('SELECT * FROM webhook_secrets WHERE lineage = ? ORDER BY created_at DESC, id DESC'),
    masterKeys: read('SELECT fingerprint FROM master_keys WHERE retired_at IS NULL ORDER BY added_at, fingerprint'),
    servesOrigin: read(`SELECT 1 FROM key_origins o JOIN keys k ON k.id = o.key_id
      WHERE o.origin = ? AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?) LIMIT 1`),
    signingKeys: read('SELECT * FROM signing_keys ORDER BY created_at DESC, id DESC'),
    auditAfter: read('SELECT seq, previous, hash, entry FROM audit WHERE seq > ? ORDER BY seq LIMIT ?'),
    // Nothing of ours is before 1: who reads backwards sees what the chain from its first entry on has in it.
    auditBefore: read(
      'SELECT seq, previous, hash, entry FROM audit WHERE seq < ? AND seq > 0 ORDER BY seq DESC LIMIT ?',
    ),
    auditTriggers: read("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'"),
    auditHead: read('SELECT seq, hash FROM audit WHERE seq = (SELECT max(seq) FROM audit)'),
    sealed: {
      'credentials.sealed': prepareSealedReads(read, 'credentials.sealed'),
      'webhook_secrets.sealed': prepareSealedReads(read, 'webhook_secrets.sealed'),
      'signing_keys.sealed': prepareSealedReads(read, 'signing_keys.sealed'),
    },
    ...prepareUsageReads(read),
  };
}

function prepareSealedReads(read: (sql: string) => Read, name: SealedColumn) {
  const { others, count } = encryptedColumn(name);
  return { others: read(others), count: read(count) };
}

/** Each takes the ids that a piece begins with and ends before; gives group, name, status, how many, and their time. */
function prepareUsageReads(read: (sql: string) => Read) {
  return {
    idOfPieceEnd: read('SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?'),
    usageOfProviders: read(`SELECT provider, NULL, status, count(*),
        coalesce(sum(max(0, finished_at - (state ->> '$.startedAt'))), 0)
      FROM runs WHERE id >= ? AND id < ? GROUP BY provider, status`),
    usageOfWorkflows: read(`SELECT workflow, NULL, status, count(*),
        coalesce(sum(max(0, finished_at - (state ->> '$.startedAt'))), 0)
      FROM runs WHERE id >= ? AND id < ? GROUP BY workflow, status`),
    // One aggregate `max` makes the other columns come from its row: the name is the latest run's.
    usageOfKeys: read(`SELECT pinned ->> '$.keyId' AS key_id, pinned ->> '$.keyName', status, count(*),
        coalesce(sum(max(0, finished_at - (state ->> '$.startedAt'))), 0), max(id)
      FROM runs WHERE id >= ? AND id < ? GROUP BY key_id, status`),
  };
}

function toRead(statement: StatementSync): Read {
  statement.setReturnArrays(true);
  return {
    get: (...values) => (statement.get(...values) as unknown as Row | undefined) ?? null,
    all: (...values) => statement.all(...values) as unknown as Row[],
    each: (...values) => statement.iterate(...values) as unknown as Iterable<Row>,
  };
}

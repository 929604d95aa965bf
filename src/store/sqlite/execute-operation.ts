import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  claimDeliveries,
  insertDeliveries,
  prepareDeliveryStatements,
  settleDelivery,
} from './execute-delivery-operation.ts';
import {
  PLAIN_STATEMENTS,
  type ClaimRow,
  type FarEvents,
  type Move,
  type MoveRow,
  type Operation,
  type OperationResult,
  type OperationResults,
  type Operations,
  type PlainStatement,
  type Row,
  type Value,
} from './operations.ts';
import { RUN_COLUMNS } from './run-row.ts';
import { arrays, changes, get } from './statement-calls.ts';

/** Pages given back to the disk at a time, once a quarter of the file and more than 4 MB of it are free. */
const VACUUM_SHARE = 4;
const VACUUM_FREE_PAGES_MIN = 1_024;

/** Executes operations on one connection; statements are prepared once, when first needed. */
export interface Executor {
  execute(operation: Operation): OperationResult;
}

export function createExecutor(db: DatabaseSync): Executor {
  const statements = prepareStatements(db);
  return {
    execute(operation) {
      switch (operation[0]) {
        case 'create':
          return create(statements, operation[1], operation[2], operation[3]);
        case 'move':
          return move(statements, operation[1], operation[2], operation[3], operation[4], operation[5]);
        case 'moveOnce':
          return moveOnce(db, statements, operation.slice(1) as Operations['moveOnce']);
        case 'append':
          return append(statements, operation[1], operation[2], operation[3]);
        case 'remove':
          return remove(statements, operation[1]);
        case 'claim':
          return claim(statements, operation);
        case 'reclaim':
          return reclaim(statements, operation[1], operation[2]);
        case 'release':
          return release(statements, operation);
        case 'claimDeliveries':
          return claimDeliveries(statements.deliveries, operation[1], { now: operation[2], limit: operation[3] });
        case 'settleDelivery':
          return settleDelivery(statements.deliveries, operation);
        case 'purgeRuns':
          return purgeRuns(statements, operation[1], operation[2]);
        case 'replaceKey':
          return replaceKey(statements, operation[1], { id: operation[2], expiresAt: operation[3] });
        case 'replaceWebhookSecret':
          return replaceWebhookSecret(statements, operation[1], operation[2], operation[3]);
        case 'vacuum':
          return vacuum(db);
        case 'run':
          return changes(statements.plain(operation[1]), operation[2]);
      }
    },
  };
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(db: DatabaseSync) {
  const plain = new Map<PlainStatement, StatementSync>();
  return {
    insertRun: db.prepare('INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)'),
    insertEvent: db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)'),
    insertPayload: db.prepare('INSERT OR REPLACE INTO payloads VALUES (?, ?, ?)'),
    // A row that has served, 24 h and its run's end, makes room for the next one of the same key.
    insertClaim: db.prepare(`INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (lineage, subject, key) DO UPDATE SET
        run_id = excluded.run_id, fingerprint = excluded.fingerprint, created_at = excluded.created_at
      WHERE idempotency.created_at < ?
        AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = idempotency.run_id AND runs.finished_at IS NULL)`),
    findClaim: arrays(
      db.prepare('SELECT run_id, fingerprint FROM idempotency WHERE lineage = ? AND subject = ? AND key = ?'),
    ),
    // An ended run is never left, whatever a caller believes; an owner of NULL means that any owner will do.
    // Compares `seq` too, so that its next value is known without RETURNING, which costs 1 to 2 µs a move.
    moveRun: db.prepare(`UPDATE runs SET version = version + 1, seq = ?, status = ?, provider = ?, workflow = ?,
        owner = ?, due_at = ?, finished_at = ?, vendor_run_id = ?, pinned = coalesce(?, pinned), state = ?,
        output = coalesce(?, output), log = log || ?
        WHERE id = ? AND version = ? AND seq = ? AND owner IS coalesce(?, owner) AND finished_at IS NULL`),
    // An UPDATE and a SELECT: RETURNING costs 0.4 µs more.
    lengthenLog: db.prepare('UPDATE runs SET seq = seq + ? WHERE id = ? AND owner = ? AND finished_at IS NULL'),
    lastSeq: arrays(db.prepare('SELECT seq FROM runs WHERE id = ?')),
    giveBackStartKey: db.prepare(`DELETE FROM idempotency WHERE run_id = ?1 AND (lineage, subject, key) =
      (SELECT lineage, coalesce(subject, ''), idempotency_key FROM runs WHERE id = ?1)`),
    // Whoever resumed is the run's own subject or its key, which has none. The key of the start is another's,
    // even where a caller has named it alike.
    giveBackResumeKey: db.prepare(`DELETE FROM idempotency WHERE run_id = ?1 AND key = ?2
      AND lineage = (SELECT lineage FROM runs WHERE id = ?1)
      AND subject IN ('', (SELECT coalesce(subject, '') FROM runs WHERE id = ?1))
      AND (subject, key) IS NOT (SELECT coalesce(subject, ''), idempotency_key FROM runs WHERE id = ?1)`),
    runRow: arrays(db.prepare('SELECT ' + RUN_COLUMNS + ' FROM runs WHERE id = ?')),
    dueRows: arrays(
      db.prepare(
        'SELECT ' +
          RUN_COLUMNS +
          ` FROM runs WHERE finished_at IS NULL AND owner IS NULL AND due_at <= ?
            AND provider NOT IN (SELECT value FROM json_each(?))
            AND NOT EXISTS (SELECT 1 FROM owners WHERE owner = ? AND dead = 1) ORDER BY due_at LIMIT ?`,
      ),
    ),
    queuedRows: arrays(
      db.prepare(
        'SELECT ' +
          RUN_COLUMNS +
          ` FROM runs WHERE status = 'queued' AND owner IS NULL
            AND NOT EXISTS (SELECT 1 FROM owners WHERE owner = ? AND dead = 1) ORDER BY id LIMIT ?`,
      ),
    ),
    takeRun: db.prepare('UPDATE runs SET owner = ?, due_at = NULL WHERE id = ?'),
    reclaim: db.prepare(`UPDATE runs SET owner = NULL, due_at = ?
      WHERE finished_at IS NULL AND owner IS NOT NULL AND owner <> ?`),
    buryOwners: db.prepare('UPDATE owners SET dead = 1 WHERE owner <> ?'),
    forgetOwners: db.prepare('DELETE FROM owners WHERE dead = 1 AND beat_at < ? - 86400000'),
    release: db.prepare(`UPDATE runs SET owner = NULL, due_at = ?
      WHERE finished_at IS NULL AND owner = ? AND id NOT IN (SELECT value FROM json_each(?)) AND id < ?`),
    deleteRun: db.prepare('DELETE FROM runs WHERE id = ? AND finished_at < ?'),
    deleteEndedRun: db.prepare('DELETE FROM runs WHERE id = ? AND finished_at IS NOT NULL'),
    deleteEvents: db.prepare('DELETE FROM events WHERE run_id = ?'),
    deletePayloads: db.prepare('DELETE FROM payloads WHERE run_id = ?'),
    deliveries: prepareDeliveryStatements(db),
    plain(name: PlainStatement): StatementSync {
      const known = plain.get(name);
      if (known !== undefined) return known;
      const made = db.prepare(PLAIN_STATEMENTS[name]);
      plain.set(name, made);
      return made;
    },
  };
}

function create(
  statements: Statements,
  row: Row,
  claimRow: ClaimRow | null,
  largeInputs: string | null,
): OperationResults['create'] {
  const earlier = claimRow === null ? null : claimKey(statements, claimRow);
  if (earlier !== null) return earlier;
  statements.insertRun.run(...row);
  if (largeInputs !== null) statements.insertPayload.run(row[0] as string, 'inputs', largeInputs);
  return null;
}

/** Null: the key is this request's. Otherwise what it was used for, by a request that is still to be remembered. */
function claimKey(statements: Statements, row: ClaimRow): { winner: string; run: Row | null } | 'reused' | null {
  if (changes(statements.insertClaim, row) > 0) return null;
  const [winner, fingerprint] = get(statements.findClaim, row.slice(0, 3)) as [string, string];
  if (fingerprint !== row[4]) return 'reused';
  return { winner, run: get(statements.runRow, [winner]) };
}

function moveOnce(
  db: DatabaseSync,
  statements: Statements,
  [claimRow, ...change]: Operations['moveOnce'],
): OperationResults['moveOnce'] {
  db.exec('SAVEPOINT claimed');
  const result = claimKey(statements, claimRow) ?? move(statements, ...change);
  // Stale: the claim is taken back too, and whatever it had replaced is there again.
  db.exec(result === null ? 'ROLLBACK TO claimed; RELEASE claimed' : 'RELEASE claimed');
  return result;
}

function move(
  statements: Statements,
  change: MoveRow,
  events: FarEvents | null,
  ...[largeOutput, giveBackKey, deliveries]: [Move[2], Move[3], Move[4]]
): OperationResults['move'] {
  if (changes(statements.moveRun, change) === 0) return null;
  const [seq] = change;
  const id = change[12];
  if (events !== null) insertEvents(statements, id, events);
  if (largeOutput !== null) statements.insertPayload.run(id, 'output', largeOutput);
  if (giveBackKey === 'start') statements.giveBackStartKey.run(id);
  else if (giveBackKey !== null) statements.giveBackResumeKey.run(id, giveBackKey.resume);
  if (deliveries !== null) insertDeliveries(statements.deliveries, id, deliveries);
  return seq;
}

function insertEvents(statements: Statements, id: string, events: FarEvents): void {
  for (let i = 0; i < events.length; i += 4) {
    const [seq, type, at, data] = events.slice(i, i + 4) as [Value, Value, Value, Value];
    statements.insertEvent.run(id, seq, type, at, data);
  }
}

function append(statements: Statements, id: string, owner: string, events: Row): OperationResults['append'] {
  const count = events.length / 3;
  if (changes(statements.lengthenLog, [count, id, owner]) === 0) return null;
  const [last] = get(statements.lastSeq, [id]) as [number];
  for (let i = 0; i < count; i++) {
    const [type, at, data] = events.slice(i * 3, i * 3 + 3) as [Value, Value, Value];
    statements.insertEvent.run(id, last - count + 1 + i, type, at, data);
  }
  return last;
}

function claim(statements: Statements, [, owner, now, limit, queued, except]: Operation & { 0: 'claim' }): Row[] {
  const rows = statements.dueRows.all(now, except, owner, limit) as unknown as Value[][];
  const taken = new Set(rows.map((row) => row[0]));
  for (const row of queued > 0 ? (statements.queuedRows.all(owner, queued) as unknown as Value[][]) : []) {
    if (!taken.has(row[0])) rows.push(row);
  }
  for (const row of rows) {
    statements.takeRun.run(owner, row[0] as string);
    row[8] = owner;
    row[9] = null;
  }
  return rows;
}

function reclaim(statements: Statements, owner: string, now: number): number {
  statements.buryOwners.run(owner);
  statements.forgetOwners.run(now);
  return changes(statements.reclaim, [now, owner]) + changes(statements.deliveries.reclaim, [now, owner]);
}

function release(statements: Statements, [, owner, except, now, before]: Operation & { 0: 'release' }): number {
  const values = [now, owner, except, before];
  return changes(statements.release, values) + changes(statements.deliveries.release, values);
}

function purgeRuns(statements: Statements, ids: readonly string[], before: number): number {
  let deleted = 0;
  for (const id of ids) {
    if (changes(statements.deleteRun, [id, before]) === 0) continue;
    deleteRest(statements, id);
    deleted++;
  }
  return deleted;
}

function remove(statements: Statements, id: string): OperationResults['remove'] {
  if (changes(statements.deleteEndedRun, [id]) === 0) {
    return get(statements.runRow, [id]) === null ? 'unknown' : 'not_ended';
  }
  deleteRest(statements, id);
  return 'removed';
}

/** The idempotency rows stay until they have served: the same request must not begin another run. */
function deleteRest(statements: Statements, id: string): void {
  statements.deleteEvents.run(id);
  statements.deletePayloads.run(id);
  statements.deliveries.deleteOfRun.run(id);
}

function replaceKey(statements: Statements, successor: Row, old: { id: string; expiresAt: number }): boolean {
  if (changes(statements.plain('expireKey'), [old.expiresAt, old.id]) === 0) return false;
  return changes(statements.plain('insertKey'), successor) === 1;
}

function replaceWebhookSecret(statements: Statements, successor: Row, oldExpiresAt: number, now: number): null {
  const [lineage] = successor as [string];
  statements.plain('deleteExpiredSecrets').run(lineage, now);
  statements.plain('expireSecrets').run(oldExpiresAt, lineage);
  statements.plain('insertSecret').run(...successor);
  return null;
}

/** Gives free pages at the end of the file back; freed pages are reused anyway, so only a large rest is worth moving. */
function vacuum(db: DatabaseSync): number {
  const before = pragma(db, 'PRAGMA freelist_count');
  if (before < VACUUM_FREE_PAGES_MIN || before * VACUUM_SHARE < pragma(db, 'PRAGMA page_count')) return 0;
  db.exec('PRAGMA incremental_vacuum(512)');
  return before - pragma(db, 'PRAGMA freelist_count');
}

function pragma(db: DatabaseSync, sql: string): number {
  return Number(Object.values(db.prepare(sql).get() ?? {})[0] ?? 0);
}

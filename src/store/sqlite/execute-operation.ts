import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { claim, claimQueued, prepareClaimStatements, reclaim, release } from './execute-claim-operation.ts';
import { countOnDay, prepareCountStatements, readUnfinished, runsOfDay } from './execute-count-operation.ts';
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
  type Operation,
  type OperationResult,
  type OperationResults,
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
          return create(db, statements, operation);
        case 'move':
          return move(statements, operation);
        case 'moveOnce':
          return moveOnce(db, statements, operation);
        case 'append':
          return append(statements, operation[1], operation[2], operation[3]);
        case 'remove':
          return remove(statements, operation[1]);
        case 'claim':
          return claim(statements.claims, operation);
        case 'claimQueued':
          return claimQueued(statements.claims, operation);
        case 'reclaim':
          return reclaim(statements.claims, statements.deliveries, operation);
        case 'release':
          return release(statements.claims, statements.deliveries, operation);
        case 'unfinished':
          return readUnfinished(statements.counts);
        case 'claimDeliveries':
          return claimDeliveries(statements.deliveries, operation[1], { now: operation[2], limit: operation[3] });
        case 'settleDelivery':
          return settleDelivery(statements.deliveries, operation);
        case 'purgeRuns':
          return purgeRuns(statements, operation[1], operation[2]);
        case 'removeCredential':
          return removeCredential(statements, operation[1]);
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
    deleteRun: db.prepare('DELETE FROM runs WHERE id = ? AND finished_at < ?'),
    deleteEndedRun: db.prepare('DELETE FROM runs WHERE id = ? AND finished_at IS NOT NULL'),
    deleteEvents: db.prepare('DELETE FROM events WHERE run_id = ?'),
    deletePayloads: db.prepare('DELETE FROM payloads WHERE run_id = ?'),
    claims: prepareClaimStatements(db),
    counts: prepareCountStatements(db),
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
  db: DatabaseSync,
  statements: Statements,
  [, row, claimRow, largeInputs, countedStart, quota]: Operation & { 0: 'create' },
): OperationResults['create'] {
  const runsBefore = quota === null ? 0 : runsOfDay(statements.counts, quota);
  if (quota !== null && runsBefore >= quota[2]) return createNoMore(db, statements, claimRow);
  const earlier = claimRow === null ? null : claimKey(statements, claimRow);
  if (earlier !== null) return earlier;
  if (quota !== null) countOnDay(statements.counts, quota, runsBefore);
  statements.insertRun.run(...row);
  if (largeInputs !== null) statements.insertPayload.run(row[0] as string, 'inputs', largeInputs);
  if (countedStart !== null) statements.counts.countStart(countedStart);
  return null;
}

/** A request that came before is answered as ever; another one leaves nothing. */
function createNoMore(db: DatabaseSync, statements: Statements, claimRow: ClaimRow | null): OperationResults['create'] {
  if (claimRow === null) return 'over_quota';
  return unless(db, 'over_quota', () => claimKey(statements, claimRow) ?? 'over_quota');
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
  operation: Operation & { 0: 'moveOnce' },
): OperationResults['moveOnce'] {
  return unless(
    db,
    null,
    () => claimKey(statements, operation[1]) ?? move(statements, operation.slice(1) as [unknown, ...Move]),
  );
}

/** Where it comes to `refusal`, its claim is taken back too, and whatever that had replaced is there again. */
function unless<T>(db: DatabaseSync, refusal: T, work: () => T): T {
  db.exec('SAVEPOINT claimed');
  const result = work();
  db.exec(result === refusal ? 'ROLLBACK TO claimed; RELEASE claimed' : 'RELEASE claimed');
  return result;
}

function move(
  statements: Statements,
  [, change, events, largeOutput, giveBackKey, deliveries, countedStart]: readonly [unknown, ...Move],
): OperationResults['move'] {
  if (changes(statements.moveRun, change) === 0) return null;
  const [seq] = change;
  const id = change[12];
  if (events !== null) insertEvents(statements, id, events);
  if (largeOutput !== null) statements.insertPayload.run(id, 'output', largeOutput);
  if (giveBackKey === 'start') statements.giveBackStartKey.run(id);
  else if (giveBackKey !== null) statements.giveBackResumeKey.run(id, giveBackKey.resume);
  if (deliveries !== null) insertDeliveries(statements.deliveries, id, deliveries);
  if (countedStart !== null) statements.counts.countStart(countedStart);
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

function removeCredential(statements: Statements, id: string): boolean {
  statements.plain('deleteCredentialStates').run(id);
  return changes(statements.plain('deleteCredential'), [id]) > 0;
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

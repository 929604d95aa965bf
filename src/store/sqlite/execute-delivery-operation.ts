import type { DatabaseSync } from 'node:sqlite';
import { DELIVERY_COLUMNS } from './delivery-row.ts';
import type { DeliveryRows, Operation, Row, Value } from './operations.ts';
import { arrays, changes, get } from './statement-calls.ts';

export type DeliveryStatements = ReturnType<typeof prepareDeliveryStatements>;

/**
 * What the writer does with messages to callers' webhooks. Whoever tries one has its row: `owner` set, no due time. One that
 * is to be sent again although it is being tried has both, until that try is over.
 */
export function prepareDeliveryStatements(db: DatabaseSync) {
  return {
    anyGone: arrays(db.prepare(`SELECT 1 FROM deliveries WHERE run_id = ? AND status = 'gone' LIMIT 1`)),
    insert: db.prepare('INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, 0, NULL, NULL, NULL, NULL, ?)'),
    dueRows: arrays(
      db.prepare(
        'SELECT ' +
          DELIVERY_COLUMNS +
          ` FROM deliveries WHERE status = 'pending' AND owner IS NULL AND due_at <= ?
            AND NOT EXISTS (SELECT 1 FROM owners WHERE owner = ? AND dead = 1) ORDER BY due_at LIMIT ?`,
      ),
    ),
    take: db.prepare('UPDATE deliveries SET owner = ?, due_at = NULL WHERE run_id = ? AND id = ?'),
    runOfTaken: arrays(
      db.prepare(`SELECT run_id FROM deliveries WHERE status = 'pending' AND owner = ? AND due_at IS NULL AND id = ?
        AND tries = coalesce(?, tries)`),
    ),
    freeWantedAgain: db.prepare(`UPDATE deliveries SET owner = NULL
      WHERE status = 'pending' AND owner = ? AND due_at IS NOT NULL AND id = ?`),
    settle: db.prepare(`UPDATE deliveries SET status = ?, tries = tries + 1, last_at = ?, last_status = ?,
      last_error = ?, owner = NULL, due_at = ? WHERE run_id = ? AND id = ?`),
    giveUpRest: db.prepare(`UPDATE deliveries SET status = 'gone', owner = NULL, due_at = NULL
      WHERE run_id = ? AND status = 'pending'`),
    reclaim: db.prepare(`UPDATE deliveries SET owner = NULL, due_at = ?
      WHERE status = 'pending' AND owner IS NOT NULL AND owner <> ?`),
    release: db.prepare(`UPDATE deliveries SET owner = NULL, due_at = ?
      WHERE status = 'pending' AND owner = ? AND run_id NOT IN (SELECT value FROM json_each(?)) AND run_id < ?`),
    deleteOfRun: db.prepare('DELETE FROM deliveries WHERE run_id = ?'),
  };
}

/** Writes messages of one run. A target that is gone gets none of those that come later. */
export function insertDeliveries(statements: DeliveryStatements, runId: string, deliveries: DeliveryRows): void {
  const gone = get(statements.anyGone, [runId]) !== null;
  for (let i = 0; i < deliveries.length; i += 5) {
    const [id, event, snapshot, createdAt, dueAt] = deliveries.slice(i, i + 5) as [Value, Value, Value, Value, Value];
    const [status, due] = gone ? ['gone', null] : ['pending', dueAt];
    statements.insert.run(runId, id, event, snapshot, createdAt, status, due);
  }
}

/** Takes due messages, longest due first. */
export function claimDeliveries(
  statements: DeliveryStatements,
  owner: string,
  { now, limit }: { now: number; limit: number },
): Row[] {
  const rows = statements.dueRows.all(now, owner, limit) as unknown as Value[][];
  for (const row of rows) {
    const [id, runId] = row as [Value, Value];
    statements.take.run(owner, runId, id);
    row[10] = null;
  }
  return rows;
}

/**
 * Writes what became of a try. False: the message is no longer this owner's, was tried again since, or somebody wants it
 * sent again; then it is free for the try that they were promised, whatever this one came to.
 */
export function settleDelivery(
  statements: DeliveryStatements,
  [, id, owner, result, afterTries]: Operation & { 0: 'settleDelivery' },
): boolean {
  const taken = get(statements.runOfTaken, [owner, id, afterTries]);
  if (taken === null) {
    statements.freeWantedAgain.run(owner, id);
    return false;
  }
  const [runId] = taken as [string];
  changes(statements.settle, [...result, runId, id]);
  if (result[0] === 'gone') statements.giveUpRest.run(runId);
  return true;
}

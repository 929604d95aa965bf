import type { DatabaseSync } from 'node:sqlite';
import { addToCount } from '../../runs/add-to-count.ts';
import type { DeliveryStatements } from './execute-delivery-operation.ts';
import type { Operation, Row, Value } from './operations.ts';
import { RUN_COLUMNS } from './run-row.ts';
import { arrays, changes } from './statement-calls.ts';

type ClaimStatements = ReturnType<typeof prepareClaimStatements>;

/** How owners take runs, and how runs come free again. An owner who was declared dead takes none. */
export function prepareClaimStatements(db: DatabaseSync) {
  return {
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
          ` FROM runs WHERE status = 'queued' AND owner IS NULL AND provider = ? AND lineage = ?
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
  };
}

/** Takes due runs, longest due first, but for those of providers that have no room for more. */
export function claim(
  statements: ClaimStatements,
  [, owner, now, limit, inFlight, max]: Operation & { 0: 'claim' },
): Row[] {
  const counts = new Map(inFlight);
  const taken: Row[] = [];
  for (;;) {
    const values = [now, fullProviders(counts, max), owner, limit - taken.length];
    const due = statements.dueRows.all(...values) as unknown as Value[][];
    const fitting = due.filter((row) => {
      const provider = row[6] as string;
      addToCount(counts, provider, 1);
      return (counts.get(provider) ?? 0) <= max;
    });
    taken.push(...take(statements, owner, fitting));
    // Where some did not fit, their provider is full: what is due behind them is looked for without it.
    if (fitting.length === due.length) return taken;
  }
}

/** Those that have as many in flight as they may, as a JSON list. */
export function fullProviders(inFlight: ReadonlyMap<string, number>, max: number): string {
  return JSON.stringify(Array.from(inFlight).flatMap(([provider, count]) => (count >= max ? [provider] : [])));
}

/** Takes the oldest queued runs of each provider and lineage that is asked for. */
export function claimQueued(statements: ClaimStatements, [, owner, wanted]: Operation & { 0: 'claimQueued' }): Row[] {
  const taken: Row[] = [];
  for (let i = 0; i < wanted.length; i += 3) {
    const [provider, lineage, runs] = wanted.slice(i, i + 3) as [string, string, number];
    const rows = statements.queuedRows.all(provider, lineage, owner, runs) as unknown as Value[][];
    taken.push(...take(statements, owner, rows));
  }
  return taken;
}

/** Frees what other owners have, who are dead from now on. Returns how many runs and messages. */
export function reclaim(
  statements: ClaimStatements,
  deliveries: DeliveryStatements,
  [, owner, now]: Operation & { 0: 'reclaim' },
): number {
  statements.buryOwners.run(owner);
  statements.forgetOwners.run(now);
  return changes(statements.reclaim, [now, owner]) + changes(deliveries.reclaim, [now, owner]);
}

/** Frees what an owner has. Returns how many runs and messages. */
export function release(
  statements: ClaimStatements,
  deliveries: DeliveryStatements,
  [, owner, except, now, before]: Operation & { 0: 'release' },
): number {
  const values = [now, owner, except, before];
  return changes(statements.release, values) + changes(deliveries.release, values);
}

/** Marks the rows as the owner's, in the table and in hand. */
function take(statements: ClaimStatements, owner: string, rows: Value[][]): Row[] {
  for (const row of rows) {
    statements.takeRun.run(owner, row[0] as string);
    row[8] = owner;
    row[9] = null;
  }
  return rows;
}

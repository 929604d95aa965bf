import type { DatabaseSync } from 'node:sqlite';
import type { CountedRow, QuotaRow, Row, TokenRow } from './operations.ts';
import { arrays, get } from './statement-calls.ts';

/** How long counted starts are kept: twice the minute that they count for. */
const STARTS_KEPT_MS = 120_000;
/** Looking for older ones each time would cost as much as writing the new one. */
const STARTS_FORGOTTEN_EVERY_MS = 1_000;

type CountStatements = ReturnType<typeof prepareCountStatements>;

/** What the writer counts beside runs: their starts, and how many a key begins in a day. */
export function prepareCountStatements(db: DatabaseSync) {
  return {
    runsOfDay: arrays(db.prepare('SELECT runs FROM run_days WHERE day = ? AND lineage = ?')),
    beginDay: db.prepare('INSERT INTO run_days VALUES (?, ?, 1)'),
    addToDay: db.prepare('UPDATE run_days SET runs = runs + 1 WHERE day = ? AND lineage = ?'),
    forgetDays: db.prepare(`DELETE FROM run_days WHERE day < date(?, '-2 days')`),
    runsOfToken: arrays(db.prepare('SELECT runs FROM token_runs WHERE token_id = ?')),
    beginToken: db.prepare('INSERT INTO token_runs VALUES (?, 1, ?)'),
    addToToken: db.prepare('UPDATE token_runs SET runs = runs + 1 WHERE token_id = ?'),
    countStart: createStartCounter(db),
    unfinished: arrays(
      db.prepare(`SELECT id, status, lineage, provider, pinned ->> '$.credentialId' FROM runs
        WHERE finished_at IS NULL`),
    ),
  };
}

/** How many runs the lineage has begun on that day. */
export function runsOfDay(statements: CountStatements, [day, lineage]: QuotaRow): number {
  return (get(statements.runsOfDay, [day, lineage])?.[0] as number | undefined) ?? 0;
}

/** Counts one more run, behind `runs`. */
export function countOnDay(statements: CountStatements, [day, lineage]: QuotaRow, runs: number): void {
  if (runs > 0) {
    statements.addToDay.run(day, lineage);
    return;
  }
  statements.forgetDays.run(day);
  statements.beginDay.run(day, lineage);
}

/** How many runs the token has begun. */
export function runsOfToken(statements: CountStatements, [id]: TokenRow): number {
  return (get(statements.runsOfToken, [id])?.[0] as number | undefined) ?? 0;
}

/** Counts one more run, behind `runs`. */
export function countForToken(statements: CountStatements, [id, , expiresAt]: TokenRow, runs: number): void {
  if (runs > 0) statements.addToToken.run(id);
  else statements.beginToken.run(id, expiresAt);
}

/** Every unfinished run, in the order of the statement's columns. */
export function readUnfinished(statements: CountStatements): Row[] {
  return statements.unfinished.all() as unknown as Row[];
}

function createStartCounter(db: DatabaseSync): (start: CountedRow) => void {
  const insert = db.prepare(`INSERT INTO recent_starts VALUES (?, ?, ?, 1)
    ON CONFLICT (at, provider, credential_id) DO UPDATE SET starts = starts + 1`);
  const forget = db.prepare('DELETE FROM recent_starts WHERE at < ?');
  let forgotAt = -Infinity;
  return (start) => {
    insert.run(...start);
    const [at] = start;
    if (Math.abs(at - forgotAt) < STARTS_FORGOTTEN_EVERY_MS) return;
    forget.run(at - STARTS_KEPT_MS);
    forgotAt = at;
  };
}

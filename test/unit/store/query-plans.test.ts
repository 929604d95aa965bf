import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { ENCRYPTED_COLUMNS } from '../../../src/store/sqlite/encrypted-columns.ts';
import { createExecutor } from '../../../src/store/sqlite/execute-operation.ts';
import { migrate } from '../../../src/store/sqlite/migrate.ts';
import { PLAIN_STATEMENTS } from '../../../src/store/sqlite/operations.ts';
import { prepareReads } from '../../../src/store/sqlite/read-statements.ts';

/** Small by nature, read whole. */
const MAY_BE_SCANNED =
  /^SCAN (keys|credentials|credential_states|master_keys|signing_keys|owners|json_each|sqlite_schema)\b/;
/** Walks along an index in order, with a LIMIT; or only over unfinished runs. */
const WALKS =
  /^SCAN (runs|i|owners) USING (COVERING )?INDEX (runs_unfinished|runs_queued|runs_by_id|sqlite_autoindex_runs_1|idempotency_by_age)/;

function explain(db: DatabaseSync, sql: string): string[] {
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
  return rows.map((row) => row.detail);
}

/** Every statement that the store prepares. */
function statements(): string[] {
  const seen: string[] = [];
  const db = new DatabaseSync(':memory:');
  migrate(db);
  const prepare = db.prepare.bind(db);
  db.prepare = (sql) => {
    seen.push(sql);
    return prepare(sql);
  };
  createExecutor(db);
  prepareReads(db);
  db.close();
  return [...seen, ...Object.values(PLAIN_STATEMENTS)];
}

describe('the statements of the store', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db);

  it('are all looked at', () => {
    expect(statements().length).toBeGreaterThan(35);
  });

  /** What rotates the master key looks at every row of what is encrypted. */
  const reading = new Set(ENCRYPTED_COLUMNS.flatMap(({ others, count, under }) => [others, count, under]));

  it.each(statements().filter((sql) => !reading.has(sql)))('find their rows by an index: %s', (sql) => {
    for (const step of explain(db, sql)) {
      const scans = step.startsWith('SCAN') && !MAY_BE_SCANNED.test(step) && !WALKS.test(step);
      expect(scans ? step : null).toBeNull();
    }
  });

  it('would be caught without one', () => {
    expect(explain(db, 'SELECT id FROM runs WHERE provider = ?')[0]).toMatch(/^SCAN runs/);
  });

  it('find messages to webhooks by way of the pending ones, or of their run', () => {
    const plans = statements()
      .filter((sql) => /^(SELECT|UPDATE|DELETE)[^(]*\bdeliveries\b/.test(sql))
      .map((sql) => explain(db, sql).find((step) => step.includes('deliveries')));
    const pending = plans.filter((step) => step?.includes('deliveries_pending'));
    const ofRun = plans.filter((step) => step?.includes('PRIMARY KEY (run_id=?'));
    expect(pending).toHaveLength(8);
    expect(ofRun).toHaveLength(plans.length - pending.length);
  });

  it('find the run that a vendor names among the unfinished ones only', () => {
    const sql = statements().find((statement) => statement.includes('vendor_run_id = ? AND provider')) ?? '';
    expect(explain(db, sql)).toEqual(['SEARCH runs USING INDEX runs_by_vendor_run (vendor_run_id=?)']);
  });

  it('count queued runs along their index, and find the oldest of each share', () => {
    const plan = (part: string) => explain(db, statements().find((sql) => sql.includes(part)) ?? '');
    expect(plan('GROUP BY provider, lineage')).toEqual(['SCAN runs USING INDEX runs_queued']);
    expect(plan('AND provider = ? AND lineage = ?')[0]).toBe(
      'SEARCH runs USING INDEX runs_queued (provider=? AND lineage=?)',
    );
    expect(plan('AND provider = ? AND lineage = ?').join()).not.toContain('TEMP B-TREE');
    expect(plan('pinned ->>')).toEqual(['SCAN runs USING INDEX runs_unfinished']);
  });

  it('forget old starts and days at one end of their tables', () => {
    expect(explain(db, statements().find((sql) => sql.startsWith('DELETE FROM recent_starts')) ?? '')).toEqual([
      'SEARCH recent_starts USING PRIMARY KEY (at<?)',
    ]);
    expect(explain(db, statements().find((sql) => sql.startsWith('DELETE FROM run_days')) ?? '')).toEqual([
      'SEARCH run_days USING PRIMARY KEY (day<?)',
    ]);
  });

  it('claim and give back by way of the unfinished runs only', () => {
    const using = statements().filter((sql) => explain(db, sql).some((step) => step.includes('runs_unfinished')));
    expect(using.length).toBeGreaterThanOrEqual(5);
  });
});

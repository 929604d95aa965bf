import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { RunId } from '../../../src/core/ids.ts';
import { createExecutor } from '../../../src/store/sqlite/execute-operation.ts';
import { migrate } from '../../../src/store/sqlite/migrate.ts';
import type { TokenRow } from '../../../src/store/sqlite/operations.ts';
import { insertValues } from '../../../src/store/sqlite/run-row.ts';
import { firstSnapshot } from '../../../src/store/sqlite/run-snapshot.ts';
import { newRun } from '../../contract/store/sample-run.ts';

/** The statements that an executor runs, in order. */
function watched(): { ran: string[]; create: (id: string, token: TokenRow | null) => void } {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  const ran: string[] = [];
  const prepare = db.prepare.bind(db);
  db.prepare = (sql) => {
    const statement = prepare(sql);
    for (const name of ['run', 'get', 'all'] as const) {
      const call = statement[name].bind(statement) as (...values: unknown[]) => unknown;
      Object.assign(statement, { [name]: (...values: unknown[]) => (ran.push(sql), call(...values)) });
    }
    return statement;
  };
  const executor = createExecutor(db);
  return {
    ran,
    create(id, token) {
      const run = firstSnapshot(newRun(id as RunId, 1), { seq: 2, dueAt: null });
      const row = insertValues(run, null, { log: '', inputs: '{}' });
      expect(executor.execute(['create', row, null, null, null, null, token])).toBeNull();
    },
  };
}

describe('what a new run costs', () => {
  it('is one statement where nothing is counted', () => {
    const { ran, create } = watched();
    create('run_1', null);
    expect(ran).toEqual([expect.stringContaining('INSERT INTO runs')]);
  });

  it('is two more for a token', () => {
    const { ran, create } = watched();
    create('run_1', ['tok_1', 5, 9]);
    create('run_2', ['tok_1', 5, 9]);
    expect(ran.map((sql) => sql.slice(0, 20))).toEqual([
      'SELECT runs FROM tok',
      'INSERT INTO token_ru',
      'INSERT INTO runs VAL',
      'SELECT runs FROM tok',
      'UPDATE token_runs SE',
      'INSERT INTO runs VAL',
    ]);
  });
});

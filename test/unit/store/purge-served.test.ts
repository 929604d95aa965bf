import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { openStore, type Store } from '../../../src/store/open-store.ts';
import { quietLog } from '../../support/simulation/quiet-log.ts';

const DAY_MS = 86_400_000;
/** More than two commits take. */
const ROWS = 2_500;

let directory: string;
let store: Store;
let db: DatabaseSync;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rungate-purge-'));
  const file = join(directory, 'rungate.db');
  store = await openStore({
    url: `sqlite:${file}`,
    role: 'serve',
    writer: 'inline',
    clock: systemClock,
    log: quietLog,
  });
  db = new DatabaseSync(file);
});
afterEach(async () => {
  db.close();
  await store.close();
  await rm(directory, { recursive: true });
});

it('one purge deletes every idempotency row that has served, however many there are, and no other', async () => {
  const insert = db.prepare(`INSERT INTO idempotency VALUES ('key', '', ?, 'run_gone', 'fingerprint', ?)`);
  db.exec('BEGIN');
  for (let i = 0; i < ROWS; i++) insert.run(`old-${i}`, Date.now() - DAY_MS - 60_000);
  insert.run('young', Date.now() - DAY_MS + 60_000);
  db.exec('COMMIT');

  await store.runs.purge(0, 10);
  expect(db.prepare('SELECT key FROM idempotency').all()).toEqual([{ key: 'young' }]);
});

import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Owner, RunId } from '../../../src/core/ids.ts';
import { backUpStore, restoreStore } from '../../../src/store/back-up-store.ts';
import { migrate } from '../../../src/store/sqlite/migrate.ts';
import { initial } from '../../../src/store/sqlite/migrations/001-initial.ts';
import { insertValues } from '../../../src/store/sqlite/run-row.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun } from './sample-run.ts';

const OWNER = 'own_first' as Owner;

describe('a database of schema 1', () => {
  let place: TestPlace;
  let queued: RunId;
  let ended: RunId;

  beforeEach(() => {
    place = createTestPlace();
    [queued, ended] = [place.nextId(), place.nextId()];
    const db = new DatabaseSync(place.path);
    migrate(db, [initial]);
    insertRun(db, queued, { status: 'queued', finishedAt: null });
    insertRun(db, ended, { status: 'succeeded', finishedAt: 5 });
    const hash = new Uint8Array(32);
    db.prepare('INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
      'a1',
      'support desk',
      'runs',
      'a1',
      hash,
      '["summarize-ticket"]',
      '[]',
      1_000,
      null,
      9_000,
    );
    db.prepare('INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?)').run(
      'cred_1',
      'ai-tutor',
      'main',
      'api',
      new Uint8Array([1, 0, 255]),
      1_000,
    );
    db.prepare('INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?)').run(
      'key_7d2f8a',
      '',
      'k',
      queued,
      'f',
      place.clock.now(),
    );
    db.prepare('INSERT INTO master_keys VALUES (?, ?)').run('fingerprint', 1_000);
    db.close();
  });
  afterEach(() => place.remove());

  /** As the version that made schema 1 wrote it. */
  function insertRun(db: DatabaseSync, id: RunId, end: Pick<ReturnType<typeof newRun>, 'status' | 'finishedAt'>): void {
    const { countedStart: _countedStart, inputs: _inputs, events: _events, dueInMs: _dueInMs, ...rest } = newRun(id, 1);
    const run = { ...rest, ...end, owner: null, version: 1, seq: 1, dueAt: end.finishedAt === null ? 5 : null };
    const values = insertValues(run, 'k', { log: '[1,"run.created",1,{}]\n', inputs: '{"ticket":"4711"}' });
    db.prepare(`INSERT INTO runs VALUES (${'?, '.repeat(17)}NULL)`).run(...values);
    expect(values.join()).not.toContain('fallbacks');
  }

  it('keeps everything, and gives what is new its first value', async () => {
    const store = await place.open();
    const noLimits = { requestsPerMinute: null, concurrentRuns: null, runsPerDay: null };
    expect(await store.keys.find('a1')).toMatchObject({ name: 'support desk', revokedAt: 9_000, limits: noLimits });
    expect(await store.credentials.get('cred_1')).toMatchObject({
      label: 'main',
      sealed: new Uint8Array([1, 0, 255]),
      weight: 1,
    });
    expect(await store.credentials.states()).toEqual([]);
    expect(await store.credentials.masterKeys()).toEqual(['fingerprint']);
    expect(await store.runs.recentStarts(0)).toEqual([]);
    expect(await store.runs.get(ended)).toMatchObject({ status: 'succeeded', finishedAt: 5, fallbacks: [] });
    expect(await store.runs.get(queued)).toMatchObject({ inputs: { ticket: '4711' }, fallbacks: [] });
    expect(await store.runs.eventsAfter(queued, 0, 9)).toHaveLength(1);
    const claim = { lineage: 'key_7d2f8a', subject: '', key: 'k', fingerprint: 'f' };
    expect(await store.runs.findByKey(claim)).toMatchObject({ kind: 'same', runId: queued });
  });

  it('serves on: its queued runs are in the new queue', async () => {
    const store = await place.open();
    const share = { provider: 'ai-tutor', lineage: 'key_7d2f8a', runs: 1 };
    expect(await store.runs.queuedShares()).toEqual([share]);
    expect(await store.runs.claimQueued(OWNER, [share])).toMatchObject([{ id: queued, owner: OWNER }]);
    expect(await store.runs.unfinished()).toMatchObject([{ id: queued, credentialId: 'cred_3b1c' }]);
  });

  it('has the same tables and indexes afterwards as one that was made today', async () => {
    await (await place.open()).close();
    const fresh = new DatabaseSync(':memory:');
    migrate(fresh);
    const migrated = new DatabaseSync(place.path);
    expect(schemaOf(migrated)).toEqual(schemaOf(fresh));
    migrated.close();
  });

  it('can be backed up and restored; the restored one is migrated when it is opened', async () => {
    const url = `sqlite:${place.path}`;
    const file = `${place.path}.backup`;
    const facts = backUpStore({ url, file, force: false });
    expect(facts).toMatchObject({ schemaVersion: 1, runs: 2, masterKeys: ['fingerprint'] });
    const restoring = restoreStore({ url, file, stamp: '1' });
    const staged = await place.open({ url: restoring.stagedUrl });
    expect(await staged.credentials.list()).toMatchObject([{ id: 'cred_1', weight: 1 }]);
    await staged.close();
    restoring.install();
    restoring.close();
    const store = await place.open();
    expect(await store.runs.get(queued)).toMatchObject({ id: queued, fallbacks: [] });
  });
});

describe('a backup', () => {
  it('has all that is counted and known of credentials in it', async () => {
    const place = createTestPlace();
    const store = await place.open();
    const [at, quota] = [place.clock.now(), { day: '2027-03-01', runsMax: 1 }];
    const countedStart = { provider: 'ai-tutor', credentialId: 'cred_1', at };
    const state = { ...countedStart, state: 'resting' as const, code: null, until: at + 1 };
    await store.credentials.putState(state, state);
    await store.runs.create(newRun(place.nextId(), at, { countedStart }), { idempotency: null, quota });
    const file = `${place.path}.backup`;
    expect(backUpStore({ url: `sqlite:${place.path}`, file, force: false })).toMatchObject({ schemaVersion: 2 });
    const copy = await place.open({ url: `sqlite:${file}` });
    expect(await copy.runs.recentStarts(0)).toEqual([countedStart]);
    expect(await copy.credentials.states()).toEqual([state]);
    const again = await copy.runs.create(newRun(place.nextId(), at), { idempotency: null, quota });
    expect(again).toEqual({ kind: 'over_quota' });
    await place.remove();
  });
});

function schemaOf(db: DatabaseSync): unknown[] {
  return db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all();
}

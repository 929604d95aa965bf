import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Owner, RunId } from '../../../src/core/ids.ts';
import { backUpStore, restoreStore } from '../../../src/store/back-up-store.ts';
import { migrate } from '../../../src/store/sqlite/migrate.ts';
import { initial } from '../../../src/store/sqlite/migrations/001-initial.ts';
import { resilience } from '../../../src/store/sqlite/migrations/002-resilience.ts';
import { insertValues } from '../../../src/store/sqlite/run-row.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun } from './sample-run.ts';

const OWNER = 'own_first' as Owner;

/** Among the values of an INSERT into `runs`. */
const PINNED_AT = 13;

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
    // That version left nothing out of the pinned part, and knew no fallbacks.
    values[PINNED_AT] = JSON.stringify({
      ...(JSON.parse(String(values[PINNED_AT])) as object),
      allowPrivateNetwork: run.allowPrivateNetwork,
      settings: run.settings,
      options: run.options,
      defaults: run.defaults,
      metadata: run.metadata,
      tags: run.tags,
      webhook: run.webhook,
      trace: run.trace,
    });
    db.prepare(`INSERT INTO runs VALUES (${'?, '.repeat(17)}NULL)`).run(...values);
    expect(values.join()).not.toContain('fallbacks');
  }

  it('keeps everything, and gives what is new its first value', async () => {
    const store = await place.open();
    const noLimits = { requestsPerMinute: null, concurrentRuns: null, runsPerDay: null };
    expect(await store.keys.find('a1')).toMatchObject({ name: 'support desk', revokedAt: 9_000, limits: noLimits });
    expect(await store.keys.find('a1')).toMatchObject({ origins: [], lastUsedAt: null });
    expect(await store.credentials.get('cred_1')).toMatchObject({
      label: 'main',
      sealed: new Uint8Array([1, 0, 255]),
      weight: 1,
    });
    expect(await store.credentials.states()).toEqual([]);
    expect(await store.credentials.masterKeys()).toEqual(['fingerprint']);
    expect(await store.runs.recentStarts(0)).toEqual([]);
    expect(await store.runs.get(ended)).toMatchObject({ status: 'succeeded', finishedAt: 5, fallbacks: [] });
    const { metadata, tags, options, settings, webhook, trace } = newRun(queued, 1);
    const kept = { metadata, tags, options, settings, webhook, trace };
    expect(await store.runs.get(queued)).toMatchObject({ inputs: { ticket: '4711' }, fallbacks: [], ...kept });
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

describe('a database of schema 2', () => {
  it('keeps its keys and master keys, and takes what is new', async () => {
    const place = createTestPlace();
    const db = new DatabaseSync(place.path);
    migrate(db, [initial, resilience]);
    db.exec(`INSERT INTO keys VALUES ('a1', 'desk', 'runs', 'a1', x'00', '[]', '[]', 1000, NULL, NULL, 60, 5, NULL);
      INSERT INTO master_keys VALUES ('0011223344556677', 1000);
      INSERT INTO credentials VALUES ('cred_1', 'b3os', NULL, 'api', x'010011223344556677ff', 1000, 3)`);
    db.close();
    const file = `${place.path}.backup`;
    const before = backUpStore({ url: `sqlite:${place.path}`, file, force: false });
    expect(before).toMatchObject({ schemaVersion: 2, masterKeys: ['0011223344556677'] });
    const store = await place.open();
    const limits = { requestsPerMinute: 60, concurrentRuns: 5, runsPerDay: null };
    expect(await store.keys.find('a1')).toMatchObject({ limits, origins: [], lastUsedAt: null });
    await store.keys.used([{ id: 'a1', at: 5 }]);
    expect(await store.keys.find('a1')).toMatchObject({ lastUsedAt: 5 });
    expect(await store.credentials.masterKeys()).toEqual(['0011223344556677']);
    expect(await store.sealed.countByMasterKey()).toEqual([
      { column: 'credentials.sealed', fingerprint: '0011223344556677', version: 1, rows: 1 },
    ]);
    expect(await store.sealed.retireMasterKey('0011223344556677', 5)).toBe(false);
    await place.remove();
  });
});

describe('a backup', () => {
  it('has in it who may do what, who did what, and which master keys are retired', async () => {
    const place = createTestPlace();
    const store = await place.open();
    const now = place.clock.now();
    const [old, fresh] = ['0011223344556677', 'ffeeddccbbaa0011'];
    const sealed = Uint8Array.from([2, ...Buffer.from(fresh, 'hex'), 7]);
    for (const fingerprint of [old, fresh]) await store.credentials.addMasterKey(fingerprint);
    await store.sealed.retireMasterKey(old, now);
    const signingKey = { id: 'tsk_1', sealed, createdAt: now, expiresAt: now + 1_000 };
    await store.signingKeys.insert(signingKey);
    await store.keys.insert({
      id: 'a1',
      name: 'desk',
      role: 'runs',
      lineage: 'a1',
      secretHash: new Uint8Array(32),
      allowedWorkflows: [],
      allowedProviders: [],
      limits: { requestsPerMinute: null, concurrentRuns: null, runsPerDay: null },
      origins: ['https://app.example.com'],
      createdAt: now,
      expiresAt: null,
      revokedAt: null,
      lastUsedAt: now,
    });
    const token = { id: 'tok_1', runsMax: 1, expiresAt: now + 1_000 };
    await store.runs.create(newRun(place.nextId(), now), { idempotency: null, quota: null, token });
    const entry = await store.audit.append({
      at: now,
      actor: { type: 'command', id: 'root', from: null, requestId: null },
      action: 'backup.create',
      target: { type: 'store', id: 'backup' },
      outcome: 'begun',
      details: {},
    });
    const file = `${place.path}.backup`;
    const url = `sqlite:${place.path}`;
    expect(backUpStore({ url, file, force: false })).toMatchObject({ schemaVersion: 3, masterKeys: [fresh] });
    await store.close();
    const restoring = restoreStore({ url, file, stamp: '1' });
    restoring.install();
    restoring.close();
    const copy = await place.open();
    expect(await copy.credentials.masterKeys()).toEqual([fresh]);
    expect(await copy.signingKeys.list()).toEqual([signingKey]);
    expect(await copy.keys.find('a1')).toMatchObject({ lastUsedAt: now });
    expect(await copy.keys.servesOrigin('https://app.example.com', now)).toBe(true);
    expect(await copy.audit.page({ after: 0, limit: 9 })).toEqual([entry]);
    const again = copy.runs.create(newRun(place.nextId(), now), { idempotency: null, quota: null, token });
    expect(await again).toEqual({ kind: 'over_token_quota' });
    await copy.close();
    const db = new DatabaseSync(place.path);
    expect(() => db.exec('DELETE FROM audit')).toThrow('only grows');
    db.close();
    await place.remove();
  });

  it('has all that is counted and known of credentials in it', async () => {
    const place = createTestPlace();
    const store = await place.open();
    const [at, quota] = [place.clock.now(), { day: '2027-03-01', runsMax: 1 }];
    const countedStart = { provider: 'ai-tutor', credentialId: 'cred_1', at };
    const state = { ...countedStart, state: 'resting' as const, code: null, until: at + 1 };
    await store.credentials.putState(state, state);
    await store.runs.create(newRun(place.nextId(), at, { countedStart }), { idempotency: null, quota });
    const file = `${place.path}.backup`;
    expect(backUpStore({ url: `sqlite:${place.path}`, file, force: false })).toMatchObject({ schemaVersion: 3 });
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

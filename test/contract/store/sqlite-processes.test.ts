import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AUDIT_FIRST_PREVIOUS, auditHash, type NewAuditEntry } from '../../../src/core/audit.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { Owner, RunId } from '../../../src/core/ids.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { RetiredMasterKeyError } from '../../../src/vault/ports.ts';
import { quietLog } from '../../support/simulation/quiet-log.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun } from './sample-run.ts';

const CHILD = fileURLToPath(new URL('./store-child.ts', import.meta.url));

describe('one database and several processes', () => {
  let place: TestPlace;
  let children: ChildProcess[];

  beforeEach(() => {
    place = createTestPlace();
    children = [];
  });
  afterEach(async () => {
    for (const child of children) await kill(child);
    await place.remove();
  });

  async function openInChild(role: 'serve' | 'command'): Promise<ChildProcess> {
    const child = spawn(process.execPath, [CHILD, place.path, role], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    await once(child.stdout, 'data');
    return child;
  }

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  it('refuses a second server, and admits it once the first was killed', async () => {
    const first = await openInChild('serve');
    await expect(place.open({ limits: { lockWaitMs: 100 } })).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('Another Rungate server'),
    });
    await kill(first);
    const store = await place.open({ limits: { lockWaitMs: 0 } });
    expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 0 });
  });

  it('refuses a second server that comes by a symbolic link', async () => {
    await openInChild('serve');
    const link = `${place.path}.link`;
    symlinkSync(place.path, link);
    const url = `sqlite:${link}`;
    const second = openStore({ url, role: 'serve', clock: systemClock, log: quietLog, limits: { lockWaitMs: 100 } });
    await expect(second).rejects.toMatchObject({ message: expect.stringContaining('Another Rungate server') });
  });

  it('lets a second server wait for the first to go', async () => {
    const first = await openInChild('serve');
    const second = place.open({ limits: { lockWaitMs: 5_000 } });
    await kill(first);
    await expect(second).resolves.toHaveProperty('runs');
  });

  it('frees the lock when a server closes', async () => {
    const first = await place.open();
    await expect(place.open({ limits: { lockWaitMs: 0 } })).rejects.toMatchObject({ code: 'store_unavailable' });
    await first.close();
    await expect(place.open({ limits: { lockWaitMs: 0 } })).resolves.toHaveProperty('runs');
  });

  it('lets commands write beside a server, which hears of it', async () => {
    const server = await place.open({ writer: 'worker', limits: { watchIntervalMs: 10 } });
    const command = await place.open({ role: 'command' });
    await server.check();
    const stop = new AbortController();
    const heard = new Promise<RunId | null>((resolve) => server.runs.watch(resolve, stop.signal));
    const ids: RunId[] = [];
    // The first look only learns the version, so write until a hint comes.
    void heard.then(() => stop.abort());
    while (!stop.signal.aborted) {
      const run = newRun(place.nextId(), 1);
      await command.runs.create(run, { idempotency: null, quota: null });
      ids.push(run.id);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await heard).toBeNull();
    expect(await server.runs.peek(ids.at(-1) as RunId)).toMatchObject({ id: ids.at(-1) });
  });

  it('makes one chain of the audit entries that several processes append at once', async () => {
    const stores = await Promise.all([
      place.open({ writer: 'worker' }),
      place.open({ role: 'command' }),
      place.open({ role: 'command', writer: 'worker' }),
    ]);
    const entry = (id: string): NewAuditEntry => ({
      at: 1,
      actor: { type: 'command', id: 'root', from: null, requestId: null },
      action: 'run.cancel',
      target: { type: 'run', id },
      outcome: 'begun',
      details: {},
    });
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        stores.flatMap((store, i) => [0, 1].map((j) => store.audit.append(entry(`${round}/${i}/${j}`)))),
      );
    }
    const log = (await stores[0]?.audit.page({ after: 0, limit: 100 })) ?? [];
    expect(new Set(log.map(({ target }) => target.id)).size).toBe(60);
    let previous = AUDIT_FIRST_PREVIOUS;
    for (const [i, one] of log.entries()) {
      expect(one).toMatchObject({ seq: i + 1, previous, hash: auditHash(previous, one) });
      previous = one.hash;
    }
    const heads = await Promise.all(stores.map((store) => store.audit.head()));
    expect(heads).toEqual(stores.map(() => ({ seq: 60, hash: previous })));
  });

  it('refuses what a server seals under a master key that a command has retired', async () => {
    const server = await place.open({ writer: 'worker' });
    const command = await place.open({ role: 'command' });
    const [old, fresh] = ['00112233445566ff', 'ffeeddccbbaa0011'];
    await server.credentials.addMasterKey(old);
    await command.credentials.addMasterKey(fresh);
    expect(await command.sealed.retireMasterKey(old, 1)).toBe(true);
    const sealed = Uint8Array.from([2, ...Buffer.from(old, 'hex'), 0]);
    const rest = { provider: 'ai-tutor', label: null, purpose: 'api' as const, createdAt: 1, weight: 1 };
    const insert = server.credentials.insert({ id: 'cred_1', sealed, ...rest });
    await expect(insert).rejects.toBeInstanceOf(RetiredMasterKeyError);
    expect(await server.credentials.masterKeys()).toEqual([fresh]);
  });

  it('looks for due runs and messages without waiting for whoever writes', async () => {
    const server = await place.open();
    const other = new DatabaseSync(place.path);
    other.exec('BEGIN IMMEDIATE');
    const owner = 'own_first' as Owner;
    expect(await server.runs.claim(owner, 10)).toEqual([]);
    expect(await server.runs.claimDeliveries(owner, 10)).toEqual([]);
    other.close();
  });

  it('does not let a command take over the runs of a living server', async () => {
    const server = await place.open();
    const run = newRun(place.nextId(), 1);
    await server.runs.create(run, { idempotency: null, quota: null });
    const command = await place.open({ role: 'command' });
    expect(await command.runs.reclaim(run.owner as never)).toBe(0);
    expect(await server.runs.peek(run.id)).toMatchObject({ owner: run.owner });
  });

  it('refuses a command that would have to migrate under a server', async () => {
    await (await place.open()).close();
    const server = await openInChild('serve');
    setUserVersion('PRAGMA user_version = 0');
    await expect(place.open({ role: 'command', limits: { lockWaitMs: 0 } })).rejects.toMatchObject({
      message: expect.stringContaining('Restart the server'),
    });
    setUserVersion('PRAGMA user_version = 3');
    await kill(server);
  });

  it('lets the first of many commands make the database', async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, () => place.open({ role: 'command' })));
    const run = newRun(place.nextId(), 1);
    await stores[0]?.runs.create(run, { idempotency: null, quota: null });
    expect(await stores[3]?.runs.peek(run.id)).toMatchObject({ id: run.id });
    expect(statSync(place.path).mode & 0o777).toBe(0o600);
  });

  it('refuses a newer schema, and leaves the file as it is', async () => {
    await (await place.open()).close();
    setUserVersion('PRAGMA user_version = 99');
    for (const role of ['serve', 'command'] as const) {
      await expect(place.open({ role, limits: { lockWaitMs: 0 } })).rejects.toMatchObject({
        code: 'store_unavailable',
        message: expect.stringContaining('schema 99'),
      });
    }
    setUserVersion('PRAGMA user_version = 3');
    await expect(place.open({ limits: { lockWaitMs: 0 } })).resolves.toHaveProperty('runs');
  });

  it('makes the directories that are missing', async () => {
    const path = join(place.directory, 'data', 'below', 'rungate.db');
    await place.open({ url: `sqlite:${path}` });
    expect(statSync(join(place.directory, 'data')).mode & 0o777).toBe(0o700);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('refuses the database of another program', async () => {
    const db = new DatabaseSync(place.path);
    db.exec('CREATE TABLE notes (text TEXT)');
    db.close();
    await expect(place.open()).rejects.toMatchObject({ message: expect.stringContaining('another program') });
  });

  it.each(['postgres://localhost/rungate', 'sqlite:', '/tmp/rungate.db', ''])('refuses the URL %j', async (url) => {
    await expect(place.open({ url })).rejects.toMatchObject({ message: expect.stringContaining('sqlite:') });
  });

  function setUserVersion(sql: string): void {
    const db = new DatabaseSync(place.path, { timeout: 1_000 });
    db.exec(sql);
    db.close();
  }
});

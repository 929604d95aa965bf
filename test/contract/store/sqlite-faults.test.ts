import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../src/store/open-store.ts';
import { fillDisk, mountSmallDisk, removeSmallDisk } from '../../support/small-disk.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun, success } from './sample-run.ts';

const SMALL_DISK = mountSmallDisk(2);
afterAll(() => {
  if (SMALL_DISK !== null) removeSmallDisk(SMALL_DISK);
});

describe.each(['worker', 'inline'] as const)('a store whose disk fails (writer: %s)', (writer) => {
  let place: TestPlace;
  let store: Store;

  beforeEach(() => {
    place = createTestPlace({ writer });
  });
  afterEach(() => place.remove());

  const write = (inputs = {}) => {
    const run = newRun(place.nextId(), place.clock.now(), { inputs });
    return store.runs.create(run, {
      idempotency: { lineage: run.lineage, subject: '', key: run.id, fingerprint: 'f' },
      quota: null,
    });
  };

  it.skipIf(SMALL_DISK === null)(
    'says so while the disk is full, and serves again when it is not (skipped where no small disk can be mounted)',
    async () => {
      await place.remove();
      place = createTestPlace({ writer }, SMALL_DISK ?? '');
      store = await place.open();
      const first = await write();
      const ballast = join(place.directory, 'ballast');
      fillDisk(ballast);
      const refused = await Promise.allSettled(Array.from({ length: 20 }, () => write({ text: 'x'.repeat(100_000) })));
      expect(refused.every((result) => result.status === 'rejected')).toBe(true);
      expect(refused[0]).toMatchObject({ reason: { code: 'store_unavailable' } });
      if (first.kind !== 'created') throw new Error('the first write must succeed');
      expect(await store.runs.peek(first.run.id)).toMatchObject({ id: first.run.id });
      expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 1 });

      rmSync(ballast);
      expect(await write()).toMatchObject({ kind: 'created' });
      const end = await store.runs.move({ run: first.run }, success(first.run, 1));
      expect(end).toMatchObject({ status: 'succeeded' });
      await store.close();
      store = await place.open();
      expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 1 });
    },
  );

  it('refuses writes while its file is gone, and goes on when it is back', async () => {
    store = await place.open();
    await write();
    const away = join(place.directory, 'away');
    mkdirSync(away);
    move(place.path, away);
    for (let i = 0; i < 3; i++) await expect(write()).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.check()).rejects.toMatchObject({ code: 'store_unavailable' });
    move(join(away, 'rungate.db'), place.directory);
    expect(await write()).toMatchObject({ kind: 'created' });
    await store.check();
    expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 2 });
  });

  it('refuses writes while another file has its place, leaves that alone, and goes on when its own is back', async () => {
    store = await place.open();
    await write();
    const kept = join(place.directory, 'kept.db');
    renameSync(place.path, kept);
    const rubbish = 'this is no database '.repeat(1_000);
    writeFileSync(place.path, rubbish);
    await expect(write()).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(write()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(readFileSync(place.path, 'utf8')).toBe(rubbish);
    renameSync(kept, place.path);
    expect(await write()).toMatchObject({ kind: 'created' });
    expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 2 });
  });

  it('is not opened on a file that is no database', async () => {
    const rubbish = 'this is no database '.repeat(1_000);
    writeFileSync(place.path, rubbish);
    await expect(place.open()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(readFileSync(place.path, 'utf8')).toBe(rubbish);
    rmSync(place.path);
    await expect(place.open()).resolves.toHaveProperty('runs');
  });

  it('cannot be opened where there is no directory to be made', async () => {
    writeFileSync(join(place.directory, 'file'), '');
    const url = `sqlite:${join(place.directory, 'file', 'below', 'rungate.db')}`;
    await expect(place.open({ url })).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('cannot be opened'),
    });
  });
});

function move(path: string, directory: string): void {
  for (const suffix of ['', '-wal', '-shm']) {
    renameSync(path + suffix, join(directory, `rungate.db${suffix}`));
  }
}

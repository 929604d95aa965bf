import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { startTestGateway, type TestGateway } from '../../support/gateway.ts';
import { fillDisk, mountSmallDisk, removeSmallDisk } from '../../support/small-disk.ts';
import { QUICK_KINDS } from './contract-table.ts';

const SMALL_DISK = mountSmallDisk(4);
afterAll(() => {
  if (SMALL_DISK !== null) removeSmallDisk(SMALL_DISK);
});

describe('a gateway whose disk fails', () => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  const post = (kind: string, workflow: string) =>
    gateway.post('/runs', {
      provider: kind,
      workflow: gateway.workflowId(kind, workflow),
      inputs: { text: 'x'.repeat(100_000) },
    });

  async function expectRefused(workflow: string): Promise<void> {
    for (const { kind } of PROVIDER_KINDS) {
      const { status, body, headers } = await post(kind, workflow);
      expect([status, body.error.code, body.error.run_id]).toEqual([503, 'store_unavailable', null]);
      expect([body.error.source, body.error.retryable]).toEqual(['gateway', true]);
      expect(headers.get('retry-after')).toMatch(/^\d+$/);
    }
    expect(gateway.sandbox.starts({ workflow })).toEqual([]);
  }

  async function expectServed(workflow: string): Promise<void> {
    for (const { kind } of PROVIDER_KINDS) {
      // Until the next heartbeat is on the disk, runs are still refused, and nothing is sent.
      await expect.poll(async () => (await post(kind, workflow)).status, { timeout: 15_000 }).toBe(200);
      expect(gateway.sandbox.starts({ kind, workflow })).toHaveLength(1);
    }
  }

  it.skipIf(SMALL_DISK === null)(
    'because it is full calls no vendor, and serves again when it is not (skipped where none can be mounted)',
    async () => {
      gateway = await startTestGateway({ kinds: QUICK_KINDS, parent: SMALL_DISK ?? '' });
      await expectServed('before');
      const underWay = await Promise.all(
        PROVIDER_KINDS.map(({ kind }) =>
          gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, 'runs-1000') }),
        ),
      );
      const ballast = join(SMALL_DISK ?? '', 'ballast');
      fillDisk(ballast);
      await expectRefused('meanwhile');
      rmSync(ballast);
      await expectServed('afterwards');
      // What was under way has lost nothing by it.
      for (const id of underWay) expect(await gateway.end(id)).toMatchObject({ status: 'succeeded' });
      expect(gateway.sandbox.starts({ workflow: 'runs-1000' })).toHaveLength(PROVIDER_KINDS.length);
      // The log says so once, and has nothing else to complain of.
      expect(gateway.complaints.filter((line) => !line.startsWith('the store fails'))).toEqual([]);
    },
    40_000,
  );

  it('because its database is gone calls no vendor, and serves again when it is back', async () => {
    gateway = await startTestGateway({ kinds: QUICK_KINDS });
    const away = join(gateway.dataDir, 'away');
    mkdirSync(away);
    const move = (from: string, to: string) => {
      for (const suffix of ['', '-wal', '-shm'])
        renameSync(join(from, `rungate.db${suffix}`), join(to, `rungate.db${suffix}`));
    };
    move(gateway.dataDir, away);
    await expectRefused('meanwhile');
    move(away, gateway.dataDir);
    await expectServed('afterwards');
  }, 40_000);
});

import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import type { EventClient } from '../../support/event-client.ts';
import { startTestGateway, type TestGateway } from '../../support/gateway.ts';
import { beginStream, runIdOf, seenBy } from '../../support/streams.ts';
import { QUICK_KINDS } from './contract-table.ts';

const followed = PROVIDER_KINDS.filter(({ follow }) => follow !== undefined).map(({ kind }) => kind);
/** The drain timeout, what the engine adds to it at most, and a busy machine; a read is given up after 60 s. */
const STOP_MS_MAX = 20_000;
const DATABASE_FILES = ['rungate.db', 'rungate.db-wal', 'rungate.db-shm'];

describe.each(followed)('a gateway that is told to stop while it follows a run of %s', (kind) => {
  let gateway: TestGateway;
  let client: EventClient;

  afterEach(async () => {
    client.leave();
    await gateway.stop();
  });

  async function followRunOf(workflow: string): Promise<string> {
    gateway = await startTestGateway({ kinds: QUICK_KINDS, environment: { RUNGATE_DRAIN_TIMEOUT_S: '1' } });
    client = beginStream(gateway, { provider: kind, workflow: gateway.workflowId(kind, workflow) });
    await client.until(() => seenBy(client).some(({ data }) => data.name === 'node.completed'));
    return runIdOf(client);
  }

  async function msToStop(): Promise<number> {
    const toldAt = performance.now();
    await gateway.shutDown();
    return performance.now() - toldAt;
  }

  it('does not wait for a poll that trickles, and hands the run over', async () => {
    const id = await followRunOf('poll-stall-in-body-forever.deltas-600.runs-60000');
    expect(await msToStop()).toBeLessThan(STOP_MS_MAX);
    await gateway.startUp();
    await expect.poll(async () => (await gateway.cancel(id)).status, { timeout: 10_000 }).toBe(202);
  });

  it('does not wait for a database that is away', async () => {
    await followRunOf('deltas-600.runs-60000');
    const move = async (from: string, to: string) => {
      for (const name of DATABASE_FILES) {
        await rename(join(gateway.dataDir, name + from), join(gateway.dataDir, name + to)).catch(() => undefined);
      }
    };
    await move('', '.away');
    try {
      const said = () => gateway.warnings.map(({ message }) => message);
      await expect
        .poll(said, { timeout: 15_000 })
        .toContain('store unavailable, streamed output is kept and written again');
      expect(await msToStop()).toBeLessThan(STOP_MS_MAX);
    } finally {
      await move('.away', '');
    }
  });
});

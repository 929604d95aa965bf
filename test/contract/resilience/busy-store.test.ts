import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../../support/gateway.ts';

/** SQLite waits 5 s for another's lock; no wait of a caller is to depend on that. */
const LATE_MS = 3_500;

let gateway: TestGateway;
beforeAll(async () => void (gateway = await startTestGateway()));
afterAll(() => gateway.stop());

it('lets a caller go in time while no write comes through', async () => {
  const workflow = gateway.workflowId('b3os', 'runs-60000');
  const id = await gateway.begin({ provider: 'b3os', workflow });
  const other = new DatabaseSync(join(gateway.dataDir, 'rungate.db'));
  other.exec('BEGIN IMMEDIATE');
  try {
    // The writer waits for the lock from its next heartbeat on, or its next poll.
    for (let i = 0; i < 4; i++) expect(await waitMs(id)).toBeLessThan(LATE_MS);
  } finally {
    other.exec('ROLLBACK');
    other.close();
  }
});

async function waitMs(id: string): Promise<number> {
  const askedAt = performance.now();
  const answer = await fetch(`${gateway.url()}/runs/${id}`, {
    headers: { authorization: gateway.authorization, prefer: 'wait=1' },
  });
  expect(answer.status).toBe(200);
  await answer.text();
  return performance.now() - askedAt;
}

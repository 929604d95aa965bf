import { rename, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareTestGateway, vendorOf, type TestGateway } from '../support/gateway.ts';
import { judgeReload } from '../support/processes/reload/judge.ts';
import { playReload } from '../support/processes/reload/play.ts';

const RUN_MS = 2_500;

describe('a reload', () => {
  let gateway: TestGateway;
  let base: { base_url: string; allow_private_network: boolean };
  beforeAll(async () => {
    gateway = await prepareTestGateway({ environment: { B3OS_KEY: 'replaced below' } });
    const { baseUrl, key } = vendorOf(gateway.sandbox, 'b3os');
    gateway.environment.B3OS_KEY = key;
    base = { base_url: baseUrl, allow_private_network: true };
    await put(withProvider());
    await gateway.startUp();
  });
  afterAll(() => gateway.stop());

  const withProvider = () => ({
    providers: { short: { ...base, kind: 'b3os', credentials: ['env:B3OS_KEY'] } },
    workflows: { hello: { provider: 'short', workflow: `runs-${RUN_MS}` } },
  });

  async function put(config: object): Promise<void> {
    const file = gateway.environment.RUNGATE_CONFIG ?? '';
    await writeFile(`${file}.new`, JSON.stringify(config));
    await rename(`${file}.new`, file);
  }

  /** Workflows as `GET /workflows` shows them, once they are these. */
  async function shown(names: readonly string[]): Promise<void> {
    await expect
      .poll(async () => (await gateway.get('/workflows')).body.data.map(({ name }: { name: string }) => name), {
        timeout: 10_000,
      })
      .toEqual(names);
  }

  it('leaves runs of a provider that is gone alone: they are polled, cancelled and ended as they were begun', async () => {
    const polled = await gateway.begin({ workflow: 'hello' });
    const cancelled = await gateway.begin({ provider: 'short', workflow: 'runs-60000.to-be-cancelled' });
    await gateway.until(polled, ({ upstream }) => upstream.run_id !== null);
    await gateway.until(cancelled, ({ upstream }) => upstream.run_id !== null);

    await put({ workflows: { other: { provider: 'b3os', workflow: 'wf_1' } } });
    await shown(['other']);
    expect((await gateway.post('/runs', { workflow: 'hello' })).body.error.code).toBe('unknown_workflow');
    const gone = await gateway.post('/runs', { provider: 'short', workflow: 'wf_1' });
    expect(gone.body.error.code).toBe('unknown_provider');
    expect((await gateway.get('/readyz')).status).toBe(200);

    expect((await gateway.cancel(cancelled)).status).toBe(202);
    expect(await gateway.end(cancelled)).toMatchObject({ status: 'cancelled', provider: 'short' });
    expect(await gateway.end(polled)).toMatchObject({ status: 'succeeded', provider: 'short', workflow: 'hello' });
  });

  it('keeps the last good file where the new one has faults, and takes the next good one', async () => {
    await put({ workflows: { broken: { provider: 'nobody', workflow: 'wf_1' } } });
    await expect
      .poll(() => gateway.complaints.filter((line) => line.startsWith('configuration not reloaded')).length, {
        timeout: 10_000,
      })
      .toBe(1);
    await shown(['other']);
    await put(withProvider());
    await shown(['hello']);
    expect(await gateway.end(await gateway.begin({ workflow: 'hello' }))).toMatchObject({ status: 'succeeded' });
  });
});

describe('reloads of a real process under load', () => {
  it('fail no request', async () => {
    const game = { requestsPerSecond: 200, seconds: 4, rewriteMs: 200 };
    const played = await playReload(game);
    // A busy machine may be slow; what it may not is fail a request.
    expect(judgeReload(played, game, 0).filter(({ faults }) => faults.length > 0)).toEqual([]);
  }, 60_000);
});

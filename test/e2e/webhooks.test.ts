import { createServer, request as send, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { startTestGateway, vendorOf, type TestGateway } from '../support/gateway.ts';

const VENDOR_SECRET = 'whsec-of-the-vendor';
/** Nobody asks by himself in the time of a test. */
const NEVER_POLLED = PROVIDER_KINDS.map((kind) => ({
  ...kind,
  pollPace: { firstMs: 600_000, factor: 1, maxMs: 600_000 },
}));

interface Received {
  headers: Record<string, string>;
  body: string;
}

const servers: Server[] = [];
const received: Received[] = [];
/** Reads of the vendor's runs. */
const polls: string[] = [];
let answer = 204;
let hook = '';
let gateway: TestGateway;

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Passes everything on and notes who asks about runs. */
function createPollCounter(target: () => string): Server {
  return createServer((incoming, response) => {
    if (incoming.method === 'GET') polls.push(incoming.url ?? '');
    const { method, headers } = incoming;
    const outgoing = send(`${target()}${incoming.url}`, { method: method ?? 'GET', headers }, (passed) => {
      response.writeHead(passed.statusCode ?? 502, passed.headers);
      passed.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    incoming.pipe(outgoing);
  });
}

beforeAll(async () => {
  hook = await listen(
    createServer(async (incoming, response) => {
      received.push({ headers: flat(incoming.headers), body: await text(incoming) });
      response.writeHead(answer).end();
    }),
  );
  const origins: Record<string, string> = {};
  const counted = async (kind: string) => listen(createPollCounter(() => origins[kind] ?? ''));
  const proxies = { b3os: await counted('b3os'), interactly: await counted('interactly') };
  gateway = await startTestGateway({
    kinds: NEVER_POLLED,
    environment: { RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK: 'true' },
    providers: (sandbox) =>
      Object.fromEntries(
        Object.entries(proxies).map(([kind, proxy]) => {
          const { origin, pathname } = new URL(vendorOf(sandbox, kind).baseUrl);
          origins[kind] = origin;
          return [kind, { kind, baseUrl: proxy + (pathname === '/' ? '' : pathname) }];
        }),
      ),
  });
  await gateway.command(async ({ vault }) => {
    for (const provider of ['b3os', 'interactly']) {
      await vault.add({ provider, label: null, purpose: 'webhook', secret: new Secret(VENDOR_SECRET) });
    }
  });
});
afterAll(async () => {
  await gateway.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});
beforeEach(() => {
  answer = 204;
  received.length = 0;
  polls.length = 0;
});

function flat(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

async function rotate(): Promise<{ webhook_secret: string; previous_expires_at: string | null }> {
  return (await gateway.post('/me/webhook-secret')).body;
}

const begin = (webhook: object) =>
  gateway.begin({ provider: 'ai-tutor', workflow: gateway.workflowId('ai-tutor', 'plain'), webhook });

describe('webhooks to callers', () => {
  it('tell of the end, signed with both secrets while one takes the place of the other', async () => {
    const first = await rotate();
    const second = await rotate();
    expect(Date.parse(second.previous_expires_at ?? '') - Date.now()).toBeGreaterThan(86_000_000);
    const id = await begin({ url: `${hook}/hook` });
    await expect.poll(() => received.length, { timeout: 10_000 }).toBe(1);
    const [{ headers, body } = { headers: {}, body: '' }] = received;
    for (const { webhook_secret: secret } of [first, second]) {
      expect(new Webhook(secret).verify(body, headers)).toMatchObject({
        type: 'run.succeeded',
        data: { id, object: 'run', status: 'succeeded', inputs: {} },
      });
      expect(() => new Webhook(secret).verify(body.replace('succeeded', 'failed'), headers)).toThrow(
        'No matching signature',
      );
    }
    const { data: run } = JSON.parse(body) as { data: unknown };
    expect(run).toEqual((await gateway.get(`/runs/${id}`)).body);
  });

  it('are listed with the run, tried again, and sent again where somebody asks for it', async () => {
    await rotate();
    answer = 500;
    const id = await begin({ url: hook, events: ['run.succeeded'] });
    const deliveries = async () => (await gateway.get(`/runs/${id}/deliveries`)).body.data;
    await expect
      .poll(deliveries, { timeout: 10_000 })
      .toMatchObject([{ status: 'pending', tries: 1, last_status: 500 }]);
    const [{ id: deliveryId, next_at: nextAt }] = await deliveries();
    expect(Date.parse(nextAt)).toBeGreaterThan(Date.now());
    answer = 200;
    const again = await gateway.post(`/runs/${id}/deliveries/${deliveryId}/redeliver`);
    expect(again).toMatchObject({ status: 202, body: { id: deliveryId, object: 'delivery', run_id: id } });
    await expect
      .poll(deliveries, { timeout: 10_000 })
      .toMatchObject([{ status: 'delivered', tries: 1, last_status: 200 }]);
    expect(new Set(received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([deliveryId]));
    const others = await gateway.client('runs', 'other');
    expect((await others.get(`/runs/${id}/deliveries`)).status).toBe(404);
    expect((await others.post(`/runs/${id}/deliveries/${deliveryId}/redeliver`)).status).toBe(404);
  });

  it('of events that were not asked for do not come', async () => {
    const id = await begin({ url: hook, events: ['run.failed'] });
    await gateway.end(id);
    expect((await gateway.get(`/runs/${id}/deliveries`)).body).toEqual({ data: [] });
  });
});

describe.each(['b3os', 'interactly'] as const)('webhooks from %s', (kind) => {
  const started = () => gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, 'runs-100') });

  it('make a run end that nobody polls, and a flood of copies asks once', async () => {
    const target = { url: `${gateway.url()}/inbound/${kind}`, secret: VENDOR_SECRET };
    gateway.sandbox.sendWebhooks(kind, { ...target, copies: 1_000 });
    const id = await started();
    expect(await gateway.end(id)).toMatchObject({ status: 'succeeded' });
    const tally = async () => {
      const counted = await fetch(`${gateway.sandbox.control.origin}/webhooks?kind=${kind}`);
      return ((await counted.json()) as { answers: unknown }).answers;
    };
    await expect.poll(tally, { timeout: 20_000 }).toEqual({ 202: 1_000 });
    expect(polls).toHaveLength(1);
    gateway.sandbox.sendWebhooks(kind, null);
  });

  it('are refused with another secret, and nobody is asked', async () => {
    const target = { url: `${gateway.url()}/inbound/${kind}`, secret: 'guessed' };
    gateway.sandbox.sendWebhooks(kind, { ...target, copies: 20 });
    const id = await started();
    const tally = async () => {
      const counted = await fetch(`${gateway.sandbox.control.origin}/webhooks?kind=${kind}`);
      return ((await counted.json()) as { answers: unknown }).answers;
    };
    await expect.poll(tally, { timeout: 20_000 }).toEqual({ 401: 20 });
    expect(polls).toHaveLength(0);
    expect((await gateway.get(`/runs/${id}`)).body.status).toBe('running');
    gateway.sandbox.sendWebhooks(kind, null);
  });
});

it('nothing went wrong behind the scenes', () => {
  expect(gateway.complaints).toEqual([]);
});

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { VENDOR_SANDBOXES } from '../../src/sandbox/vendors.ts';
import { QUICK_KINDS } from '../contract/vendors/contract-table.ts';
import { startTestGateway, type Answered, type TestGateway } from '../support/gateway.ts';
import { beginStream, readToEnd } from '../support/streams.ts';

/** What a caller's receiver has let through, having verified it. */
interface Message {
  id: string;
  payload: Answered['body'];
}

const waitable = VENDOR_SANDBOXES.filter(({ traits }) => traits.includes('waiting'));
const messages: Message[] = [];
let verifier: Webhook;
let receiver: Server;
let gateway: TestGateway;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    void text(request).then((body) => {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      messages.push({ id: headers['webhook-id'] ?? '', payload: verifier.verify(body, headers) });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  gateway = await startTestGateway({
    kinds: QUICK_KINDS,
    environment: { RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK: 'true' },
  });
  verifier = new Webhook((await gateway.post('/me/webhook-secret')).body.webhook_secret);
});
afterAll(async () => {
  await gateway.stop();
  receiver.closeAllConnections();
  receiver.close();
  if (gateway.complaints.length > 0) throw new Error(`the log complains: ${gateway.complaints.join('; ')}`);
});

/** Streams a run that has a webhook; resolves to its events and, once `count` came, its messages. */
async function streamWithWebhook(kind: string, name: string, count: number) {
  const { port } = receiver.address() as AddressInfo;
  const webhook = { url: `http://127.0.0.1:${port}/${kind}` };
  const client = beginStream(gateway, { provider: kind, workflow: gateway.workflowId(kind, name), webhook });
  const events = await readToEnd(client);
  const id = events[0]?.run_id;
  const own = () => messages.filter(({ payload }) => payload.data.id === id);
  await expect.poll(own, { timeout: 10_000 }).toHaveLength(count);
  return { id, events, own: own() };
}

describe.each(PROVIDER_KINDS)('the webhook of a run of $kind that is streamed as well', ({ kind }) => {
  it('tells the same end as the stream', async () => {
    const { events, own } = await streamWithWebhook(kind, 'told-twice.deltas-5', 1);
    const end = events.at(-1);
    expect(own[0]?.payload).toEqual({ type: 'run.succeeded', timestamp: end?.at, data: end?.data.run });
  });
});

describe.each(waitable)('the webhook of a run of $kind that waits', ({ kind }) => {
  it('tells that it waits and that it has ended, and both are listed', async () => {
    const { id, events, own } = await streamWithWebhook(kind, 'waits-700', 2);
    const waiting = own.find(({ payload }) => payload.type === 'run.waiting');
    const ended = own.find(({ payload }) => payload.type === 'run.succeeded');
    expect(waiting?.payload.data).toMatchObject({
      id,
      status: 'waiting',
      waiting: { for: 'resume' },
      finished_at: null,
    });
    expect(ended?.payload.data).toEqual(events.at(-1)?.data.run);
    const settled = async () => (await gateway.get(`/runs/${id}/deliveries`)).body.data;
    await expect
      .poll(async () => (await settled()).map((one: Answered['body']) => one.status), { timeout: 5_000 })
      .toEqual(['delivered', 'delivered']);
    const listed = (await settled()).map((one: Answered['body']) => one.id);
    expect(listed.toSorted()).toEqual(own.map((message) => message.id).toSorted());
  });
});

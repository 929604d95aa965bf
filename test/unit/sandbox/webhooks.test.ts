import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ask, start, useSandbox } from './support.ts';

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

const sandbox = useSandbox();
const received: Received[] = [];
let server: Server;
let url = '';

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/inbound/x`;
});
beforeEach(() => (received.length = 0));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const SECRET = 'whsec_of_the_vendor';
const control = (path: string, body: unknown) =>
  ask(`${sandbox.current.control.origin}${path}`, { method: 'POST', body });
const hmac = (body: string) => createHmac('sha256', SECRET).update(body).digest('hex');

describe('the webhooks of the sandbox', () => {
  it('tell of a B3OS run that has ended, signed', async () => {
    expect((await control('/webhooks', { kind: 'b3os', url, secret: SECRET })).status).toBe(200);
    await start(sandbox.current, 'b3os', 'runs-20.fails');
    await expect.poll(() => received.length).toBe(1);
    const [{ headers, body }] = received as [Received];
    expect(headers['x-b3os-signature']).toBe(hmac(body));
    expect(JSON.parse(body)).toMatchObject({ type: 'run.failed', data: { runId: 'run_chosen', status: 'failure' } });
  });

  it('tell of an Interactly run that has ended, signed and with the time', async () => {
    sandbox.current.sendWebhooks('interactly', { url, secret: SECRET, copies: 1 });
    const { body: begun } = await start(sandbox.current, 'interactly', 'runs-20');
    await expect.poll(() => received.length).toBe(1);
    const [{ headers, body }] = received as [Received];
    expect(headers['x-interactly-signature']).toBe(hmac(body));
    expect(Math.abs(Number(headers['x-interactly-timestamp']) - Date.now() / 1000)).toBeLessThan(60);
    expect(JSON.parse(body)).toMatchObject({
      action: 'workflow_run_completed',
      workflow_run_id: begun.workflow_run._id,
      workflow_run_status: 'completed',
    });
  });

  it('come as a flood, at the end of a run or at once, and are counted', async () => {
    await control('/webhooks', { kind: 'b3os', url, secret: SECRET, copies: 30 });
    await start(sandbox.current, 'b3os', 'runs-0');
    await expect.poll(() => received.length).toBe(30);
    await control('/webhooks/send', { kind: 'b3os', run_id: 'run_of_nobody', copies: 200 });
    await expect.poll(() => received.length).toBe(230);
    const count = async () => (await ask(`${sandbox.current.control.origin}/webhooks?kind=b3os`)).body;
    await expect.poll(count).toEqual({ url, sent: 230, under_way: 0, answers: { 202: 230 } });
  });

  it('stop where no address is left, and at a reset', async () => {
    await control('/webhooks', { kind: 'b3os', url, secret: SECRET });
    await control('/webhooks', { kind: 'b3os', url: null });
    expect((await control('/webhooks/send', { kind: 'b3os', run_id: 'run_x' })).status).toBe(400);
    await control('/webhooks', { kind: 'b3os', url, secret: SECRET });
    sandbox.current.reset();
    expect((await control('/webhooks/send', { kind: 'b3os', run_id: 'run_x' })).status).toBe(400);
    expect(received).toEqual([]);
  });

  it.each([
    [{ kind: 'b3os', url: 'https://example.com/', secret: 's' }, 400],
    [{ kind: 'b3os', url: 'http://169.254.169.254/', secret: 's' }, 400],
    [{ kind: 'b3os', url: 'http://127.0.0.1:1/' }, 400],
    [{ kind: 'draft-and-goal', url: 'http://127.0.0.1:1/', secret: 's' }, 400],
    [{ kind: 'nobody', url: null }, 404],
    [[], 400],
  ])('refuse %j', async (body, status) => {
    expect((await control('/webhooks', body)).status).toBe(status);
  });
});

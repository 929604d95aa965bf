import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import type { RunId } from '../../src/core/ids.ts';
import { Secret } from '../../src/core/secret.ts';
import type { InboundMessage } from '../../src/runs/inbound.ts';
import { WEBHOOK_EVENTS, type Delivery } from '../../src/runs/model.ts';
import { callerWith, runsAppParts, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

const RUN_ID = 'run_01k9zq00000000000000000000' as RunId;
const AT = Date.parse('2026-01-31T12:00:00.000Z');

const delivery: Delivery = {
  id: 'dlv_01k9zq00000000000000000000_4',
  runId: RUN_ID,
  event: 'run.succeeded',
  snapshot: { secret: 'of the snapshot' },
  createdAt: AT,
  status: 'pending',
  tries: 1,
  lastAt: AT + 10,
  lastStatus: 500,
  lastError: null,
  dueAt: AT + 5_010,
};

let app: RunningApp;
const seen = { rotated: [] as string[], received: [] as { provider: string; message: InboundMessage }[] };
let verdict: 'unknown' | 'refused' | 'taken' = 'taken';

beforeAll(async () => {
  const { parts } = runsAppParts();
  app = await startRunsApp({
    authenticate: async (presented) => {
      if (presented.authorization !== 'Bearer token') return parts.authenticate(presented);
      return callerWith('runs', {
        subject: 'user-42',
        token: { id: 't', runsMax: null, expiresAt: Infinity, origin: null },
      });
    },
    webhooks: {
      ...parts.webhooks,
      async rotateSecret(lineage) {
        seen.rotated.push(lineage);
        return { secret: new Secret('whsec_bmV3'), previousExpiresAt: AT };
      },
      async receive(provider, message) {
        seen.received.push({ provider, message });
        return verdict;
      },
    },
  });
  app.runs.deliveries = async (_, id) => {
    if (id !== RUN_ID) throw new GatewayError('not_found');
    return [delivery];
  };
  app.runs.redeliver = async (_, id, deliveryId) => {
    if (id !== RUN_ID || deliveryId !== delivery.id) throw new GatewayError('not_found');
    return { ...delivery, tries: 0, dueAt: AT };
  };
});
afterAll(() => app[Symbol.asyncDispose]());
beforeEach(() => {
  app.runs.created.length = 0;
  seen.received.length = 0;
  verdict = 'taken';
});

async function post(path: string, body: string | undefined, headers: Record<string, string> = {}) {
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await fetch(app.url + path, {
    method: 'POST',
    ...(body === undefined ? {} : { body }),
    headers: { authorization: 'Bearer runs', ...type, ...headers },
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Envelope };
}

const begin = (webhook: unknown, headers = {}) =>
  post('/runs', JSON.stringify({ workflow: 'w', webhook }), { prefer: 'respond-async', ...headers });

describe('the webhook of a run', () => {
  it('is told of everything by default, and shown nowhere', async () => {
    const { status, body } = await begin({ url: 'https://app.example/hook?token=t' });
    expect(status).toBe(202);
    expect(body).not.toHaveProperty('webhook');
    expect(app.runs.created[0]?.request.webhook).toEqual({
      url: 'https://app.example/hook?token=t',
      events: WEBHOOK_EVENTS,
    });
  });

  it('is the same request in whatever order its events are named', async () => {
    await begin({ url: 'https://app.example', events: ['run.failed', 'run.waiting'] });
    expect(app.runs.created[0]?.request.webhook?.events).toEqual(['run.waiting', 'run.failed']);
  });

  it('is none where none is set', async () => {
    await post('/runs', '{"workflow":"w"}', { prefer: 'respond-async' });
    expect(app.runs.created[0]?.request.webhook).toBeNull();
  });

  it.each([
    ['no URL', 'webhook.url', {}],
    ['a number', 'webhook.url', { url: 5 }],
    ['an empty URL', 'webhook.url', { url: '' }],
    ['a relative URL', 'webhook.url', { url: '/hook' }],
    ['no scheme', 'webhook.url', { url: 'app.example/hook' }],
    ['another scheme', 'webhook.url', { url: 'ftp://app.example' }],
    ['a script', 'webhook.url', { url: 'javascript:alert(1)' }],
    ['no host', 'webhook.url', { url: 'https:///hook' }],
    ['a scheme without slashes', 'webhook.url', { url: 'https:app.example' }],
    ['a user name', 'webhook.url', { url: 'https://user@app.example' }],
    ['a password', 'webhook.url', { url: 'https://:hunter2@app.example' }],
    ['an empty user name', 'webhook.url', { url: 'http://@app.example/' }],
    ['an empty user name and password', 'webhook.url', { url: 'http://:@app.example/' }],
    ['a user name that looks like a host', 'webhook.url', { url: 'https://app.example:443@10.0.0.1/' }],
    ['two dots after the host', 'webhook.url', { url: 'http://localhost../' }],
    ['two dots in the host', 'webhook.url', { url: 'https://app..example/' }],
    ['two dots in the host, encoded', 'webhook.url', { url: 'https://app.example%2e%2E/' }],
    ['a dot before the host', 'webhook.url', { url: 'https://.app.example/' }],
    ['a dot for a host', 'webhook.url', { url: 'https://./' }],
    ['a fragment', 'webhook.url', { url: 'https://app.example/#a' }],
    ['an empty fragment', 'webhook.url', { url: 'https://app.example/#' }],
    ['a line break', 'webhook.url', { url: 'https://app.example/\r\nx: y' }],
    ['a tab that parsers drop', 'webhook.url', { url: 'https://app.exa\tmple' }],
    ['a backslash', 'webhook.url', { url: 'https:\\\\app.example' }],
    ['a space before it', 'webhook.url', { url: ' https://app.example' }],
    ['a port that is none', 'webhook.url', { url: 'https://app.example:99999' }],
    ['too long a URL', 'webhook.url', { url: `https://app.example/${'x'.repeat(2_000)}` }],
    ['a private address', 'webhook.url', { url: 'http://10.0.0.1/hook' }],
    ['this machine', 'webhook.url', { url: 'http://127.1:8080/' }],
    ['this machine by name', 'webhook.url', { url: 'http://localhost:8080/' }],
    ['the metadata of a cloud', 'webhook.url', { url: 'http://169.254.169.254/' }],
    ['a mapped address', 'webhook.url', { url: 'http://[::ffff:127.0.0.1]/' }],
    ['no events', 'webhook.events', { url: 'https://app.example', events: [] }],
    ['an event that does not exist', 'webhook.events.0', { url: 'https://app.example', events: ['run.started'] }],
    ['an event twice', 'webhook.events', { url: 'https://app.example', events: ['run.failed', 'run.failed'] }],
    ['another field', 'webhook.secret', { url: 'https://app.example', secret: 'x' }],
    ['null', 'webhook', null],
  ])('is refused with %s', async (_, param, webhook) => {
    const { status, body } = await begin(webhook);
    expect(body).toMatchObject({ error: { code: 'invalid_request', param } });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).not.toContain('hunter2');
    expect(app.runs.created).toHaveLength(0);
  });

  it('cannot be set with a token', async () => {
    const { body } = await begin({ url: 'https://app.example' }, { authorization: 'Bearer token' });
    expect(body).toMatchObject({ error: { code: 'forbidden' } });
    expect(app.runs.created).toHaveLength(0);
  });
});

describe('the messages of a run', () => {
  const rendered = {
    id: delivery.id,
    object: 'delivery',
    run_id: RUN_ID,
    event: 'run.succeeded',
    status: 'pending',
    tries: 1,
    created_at: '2026-01-31T12:00:00.000Z',
    last_at: '2026-01-31T12:00:00.010Z',
    last_status: 500,
    last_error: null,
    next_at: '2026-01-31T12:00:05.010Z',
  };

  it('are listed with what became of them, and without their text', async () => {
    const answer = await fetch(`${app.url}/runs/${RUN_ID}/deliveries`, { headers: { authorization: 'Bearer viewer' } });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ data: [rendered] });
  });

  it('are sent again one by one', async () => {
    const { status, body } = await post(`/runs/${RUN_ID}/deliveries/${delivery.id}/redeliver`, undefined);
    expect(status).toBe(202);
    expect(body).toEqual({ ...rendered, tries: 0, next_at: '2026-01-31T12:00:00.000Z' });
  });

  it.each([
    `/runs/${RUN_ID}/deliveries/dlv_other/redeliver`,
    `/runs/${RUN_ID.replace('1', '2')}/deliveries/${delivery.id}/redeliver`,
    `/runs/none/deliveries/${delivery.id}/redeliver`,
  ])('are not found at %s', async (path) => {
    expect((await post(path, undefined)).body).toMatchObject({ error: { code: 'not_found' } });
  });
});

describe('POST /me/webhook-secret', () => {
  it('shows the new secret of the caller’s line of keys, and until when the old one signs', async () => {
    seen.rotated.length = 0;
    const { status, body } = await post('/me/webhook-secret', undefined);
    expect(status).toBe(200);
    expect(body).toEqual({ webhook_secret: 'whsec_bmV3', previous_expires_at: '2026-01-31T12:00:00.000Z' });
    expect(seen.rotated).toEqual(['key_runs']);
    expect(JSON.stringify(app.log)).not.toContain('whsec_');
  });

  it.each(['token', 'viewer', 'admin'])('is not for a %s', async (key) => {
    const { body } = await post('/me/webhook-secret', undefined, { authorization: `Bearer ${key}` });
    expect(body).toMatchObject({ error: { code: 'forbidden' } });
  });
});

describe('POST /inbound/{provider}', () => {
  const noKey = { authorization: '' };

  it('hands on the body byte by byte, for the signature is over its bytes', async () => {
    const text = '{ "runId" : "run_1",\t"amount": 12345678901234567890 }\n';
    const { status, body } = await post('/inbound/b3os', text, { ...noKey, 'x-b3os-signature': 'aa' });
    expect(status).toBe(202);
    expect(body).toEqual({});
    const [{ provider, message } = { provider: '', message: null }] = seen.received;
    expect(provider).toBe('b3os');
    expect(Buffer.from(message?.body ?? []).toString()).toBe(text);
    expect(message?.headers).toMatchObject({ 'x-b3os-signature': 'aa' });
  });

  it.each(['{"a":', '', '[]', 'null'])('lets the signature speak before it reads %j', async (text) => {
    verdict = 'refused';
    const { status, headers, body } = await post('/inbound/b3os', text, noKey);
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe('Signature realm="rungate"');
    expect(body).toMatchObject({ error: { code: 'unauthorized', param: null } });
  });

  it('is not there for a provider that takes none', async () => {
    verdict = 'unknown';
    const { status, body } = await post('/inbound/ai-tutor', '{}', noKey);
    expect(status).toBe(404);
    expect(body).toMatchObject({ error: { code: 'not_found' } });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])(
    'takes no message of type %s, however it is signed',
    async (type) => {
      const { status, body } = await post('/inbound/b3os', '{}', { ...noKey, 'content-type': type });
      expect([status, body.error.code]).toEqual([415, 'unsupported_media_type']);
      expect(seen.received).toEqual([]);
    },
  );

  it.each(['application/json; charset=utf-8', 'Application/JSON'])('takes a message of type %s', async (type) => {
    expect((await post('/inbound/b3os', '{}', { ...noKey, 'content-type': type })).status).toBe(202);
  });

  it('takes less than callers may send', async () => {
    await using large = await startRunsApp({
      limits: { ...runsAppParts().parts.limits, bodyBytesMax: 10_000_000 },
    });
    const answer = await fetch(`${large.url}/inbound/b3os`, {
      method: 'POST',
      body: `"${'x'.repeat(262_144)}"`,
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.status).toBe(413);
    expect(await answer.text()).toContain('at most 262144 bytes are taken here');
  });

  it('goes on while the process drains: its hint is for whoever polls next', async () => {
    app.state.unready = 'draining';
    expect((await post('/inbound/b3os', '{}', noKey)).status).toBe(202);
    app.state.unready = null;
  });
});

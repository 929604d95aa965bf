import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ERROR_CATALOGUE, type ErrorCode } from '../../src/core/error-catalogue.ts';
import { startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

let app: RunningApp;
beforeAll(async () => {
  app = await startRunsApp();
});
afterAll(() => app[Symbol.asyncDispose]());
beforeEach(() => {
  app.runs.created.length = 0;
});

const LONG = 'x'.repeat(10_000);
const RUN = '/runs/run_01k9zq00000000000000000000';

interface Refusal {
  code: ErrorCode;
  param?: string | null;
  status?: number;
}

async function expectRefusal(answer: Response, { code, param = null, status }: Refusal): Promise<Envelope> {
  const text = await answer.text();
  const envelope = JSON.parse(text) as Envelope;
  expect(envelope, `answer: ${text}`).toMatchObject({ error: { code, param } });
  expect(answer.status).toBe(status ?? ERROR_CATALOGUE[code].status);
  expect(envelope.error.status).toBe(answer.status);
  expect(envelope.error.request_id).toBe(answer.headers.get('x-request-id'));
  expect(envelope.error.message).not.toBe('');
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(app.runs.created, 'nothing is written').toHaveLength(0);
  return envelope;
}

async function post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}, path = '/runs') {
  return fetch(app.url + path, {
    method: 'POST',
    body,
    headers: { authorization: 'Bearer runs', 'content-type': 'application/json', ...headers },
  });
}

describe('a wrong field of POST /runs', () => {
  const pairs = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, 'v']));
  it.each<[string, string, object]>([
    ['no workflow', 'workflow', {}],
    ['a workflow that is a number', 'workflow', { workflow: 5 }],
    ['a workflow that is null', 'workflow', { workflow: null }],
    ['an empty workflow', 'workflow', { workflow: '' }],
    ['a workflow with a slash', 'workflow', { workflow: 'a/b' }],
    ['a workflow that climbs', 'workflow', { workflow: '../admin' }],
    ['a workflow of two dots', 'workflow', { workflow: '..' }],
    ['a workflow of one dot', 'workflow', { workflow: '.' }],
    ['a workflow with a backslash', 'workflow', { workflow: 'a\\b' }],
    ['a workflow with NUL', 'workflow', { workflow: 'a\u0000b' }],
    ['a workflow with CR and LF', 'workflow', { workflow: 'a\r\nb' }],
    ['a workflow with half a character', 'workflow', { workflow: '\ud800' }],
    ['a workflow of 10,000 characters', 'workflow', { workflow: LONG }],
    ['a provider that is an array', 'provider', { provider: [] }],
    ['a provider with a slash', 'provider', { provider: 'a/b' }],
    ['a provider of 10,000 characters', 'provider', { provider: LONG }],
    ['inputs that are an array', 'inputs', { inputs: [] }],
    ['inputs that are a string', 'inputs', { inputs: 'x' }],
    ['inputs that are null', 'inputs', { inputs: null }],
    ['options that are a number', 'options', { options: 1 }],
    ['metadata that is an array', 'metadata', { metadata: ['a'] }],
    ['metadata of 33 pairs', 'metadata', { metadata: pairs(33) }],
    ['a metadata value that is a number', 'metadata.k', { metadata: { k: 1 } }],
    ['a metadata value of 513 characters', 'metadata.k', { metadata: { k: 'x'.repeat(513) } }],
    ['a metadata value of 513 emoji', 'metadata.k', { metadata: { k: '😀'.repeat(513) } }],
    ['a metadata key of 65 characters', `metadata.${'k'.repeat(65)}`, { metadata: { ['k'.repeat(65)]: '' } }],
    ['an empty metadata key', 'metadata.', { metadata: { '': 'x' } }],
    ['tags that are a string', 'tags', { tags: 'a' }],
    ['17 tags', 'tags', { tags: Array.from({ length: 17 }, () => 'a') }],
    ['a tag that is a number', 'tags.3', { tags: ['a', 'b', 'c', 4] }],
    ['an empty tag', 'tags.0', { tags: [''] }],
    ['a tag of 65 characters', 'tags.1', { tags: ['a', 'x'.repeat(65)] }],
    ['a timeout_s of 0', 'timeout_s', { timeout_s: 0 }],
    ['a timeout_s beyond a day', 'timeout_s', { timeout_s: 86_401 }],
    ['a broken timeout_s', 'timeout_s', { timeout_s: 1.5 }],
    ['a timeout_s that is a string', 'timeout_s', { timeout_s: '60' }],
    ['a waiting_timeout_s of 0', 'waiting_timeout_s', { waiting_timeout_s: 0 }],
    ['a waiting_timeout_s beyond 30 days', 'waiting_timeout_s', { waiting_timeout_s: 2_592_001 }],
    ['an unknown on_disconnect', 'on_disconnect', { on_disconnect: 'stop' }],
    ['a webhook that is a string', 'webhook', { webhook: 'https://a.example' }],
    ['a webhook without url', 'webhook.url', { webhook: {} }],
    ['an unknown field', 'base_url', { base_url: 'https://evil.example' }],
    ['an unknown field of 10,000 characters', LONG.slice(0, 200), { [LONG]: 1 }],
  ])('%s is named', async (_what, param, fields) => {
    const { error } = await expectRefusal(
      await post(
        JSON.stringify({
          workflow: 'w',
          ...fields,
          ...('workflow' in fields || param !== 'workflow' ? {} : { workflow: undefined }),
        }),
      ),
      {
        code: 'invalid_request',
        param,
      },
    );
    expect(error.message.length).toBeLessThan(1000);
  });

  it.each([
    ['{"workflow":"w","__proto__":{"role":"admin"}}', '__proto__'],
    ['{"workflow":"w","constructor":{"prototype":{}}}', 'constructor'],
    ['{"workflow":"w","metadata":{"__proto__":"x"}}', 'metadata.__proto__'],
  ])('%s cannot reach a prototype', async (body, param) => {
    await expectRefusal(await post(body), { code: 'invalid_request', param });
  });

  it('passes what is unusual but right', async () => {
    const body =
      '{"workflow":"x","workflow":"w-é.1","inputs":{"__proto__":{"a":1},"text":"\\u0000\\ud800"},"metadata":{"k":"\\n"},"tags":["ü"],"on_disconnect":"continue","timeout_s":1}';
    const answer = await post(body, { prefer: 'respond-async' });
    expect(answer.status).toBe(202);
    expect(await answer.text()).toContain('"inputs":{"__proto__":{"a":1},"text":"\\u0000\\ud800"}');
    expect(app.runs.created[0]?.request.workflow).toBe('w-é.1');
  });

  it('is not asked about what a key may not start', async () => {
    const headers = { authorization: 'Bearer narrow' };
    await expectRefusal(await post('{"workflow":"w"}', headers), { code: 'forbidden' });
    const other = '{"workflow":"wf_2","provider":"draft-and-goal"}';
    await expectRefusal(await post(other, headers), { code: 'forbidden' });
    const allowed = '{"workflow":"wf_1","provider":"draft-and-goal"}';
    expect((await post(allowed, { ...headers, prefer: 'respond-async' })).status).toBe(202);
  });
});

describe('a wrong body', () => {
  const bytes = (...values: number[]) => new Uint8Array(values);
  it.each<[string, string | Uint8Array<ArrayBuffer>, Refusal]>([
    ['nothing', '', { code: 'invalid_json' }],
    ['white space', '  \n', { code: 'invalid_json' }],
    ['half an object', '{"workflow":"w"', { code: 'invalid_json' }],
    ['two objects', '{}{}', { code: 'invalid_json' }],
    ['a trailing comma', '{"workflow":"w",}', { code: 'invalid_json' }],
    ['single quotes', "{'workflow':'w'}", { code: 'invalid_json' }],
    ['NaN', '{"workflow":NaN}', { code: 'invalid_json' }],
    ['a form', 'workflow=w', { code: 'invalid_json' }],
    ['broken UTF-8', bytes(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), { code: 'invalid_json' }],
    ['UTF-16', bytes(0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00), { code: 'invalid_json' }],
    ['101 levels', `{"inputs":${'['.repeat(101)}${']'.repeat(101)}}`, { code: 'invalid_json' }],
    ['40,000 levels', '['.repeat(40_000), { code: 'invalid_json' }],
    ['an array', '[]', { code: 'invalid_request' }],
    ['a string', '"w"', { code: 'invalid_request' }],
    ['a number', '5', { code: 'invalid_request' }],
    ['null', 'null', { code: 'invalid_request' }],
    ['true', 'true', { code: 'invalid_request' }],
    ['one byte too many', `{"workflow":"${'x'.repeat(100_000)}"}`, { code: 'payload_too_large' }],
    ['ten megabytes', ' '.repeat(10_000_000), { code: 'payload_too_large' }],
  ])('of %s is refused', async (_what, body, refusal) => {
    await expectRefusal(await post(body), refusal);
  });

  it('without a length is refused once it is too long', async () => {
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(50_000)),
    });
    const headers = { authorization: 'Bearer runs', 'content-type': 'application/json' };
    const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit;
    const answer = await fetch(`${app.url}/runs`, init);
    await expectRefusal(answer, { code: 'payload_too_large' });
  });

  it('leaves the connection as it was', async () => {
    const answer = await post('{');
    expect(answer.headers.get('connection')).not.toBe('close');
  });

  it.each([
    ['[]', { code: 'invalid_request' }],
    ['{"reason":"x"}', { code: 'invalid_request', param: 'reason' }],
    ['{', { code: 'invalid_json' }],
  ] as const)('of %s is refused by a command without parameters', async (body, refusal) => {
    await expectRefusal(await post(body, {}, `${RUN}/cancel`), refusal);
  });
});

describe('a wrong header', () => {
  it.each<[string, string, Refusal]>([
    ['content-type', 'text/plain', { code: 'unsupported_media_type' }],
    ['content-type', 'application/x-www-form-urlencoded', { code: 'unsupported_media_type' }],
    ['content-type', 'multipart/form-data; boundary=x', { code: 'unsupported_media_type' }],
    ['content-type', 'application/ld+json', { code: 'unsupported_media_type' }],
    ['content-type', 'application/json; charset=utf-16', { code: 'unsupported_media_type' }],
    ['content-type', 'application/json; charset=iso-8859-1', { code: 'unsupported_media_type' }],
    ['content-type', 'json', { code: 'unsupported_media_type' }],
    ['content-type', ';', { code: 'unsupported_media_type' }],
    ['content-encoding', 'gzip', { code: 'unsupported_media_type' }],
    ['content-encoding', 'br', { code: 'unsupported_media_type' }],
    ['accept', 'text/event-stream;q=0', { code: 'not_acceptable' }],
    ['accept', 'text/html', { code: 'not_acceptable' }],
    ['accept', 'application/json;q=0', { code: 'not_acceptable' }],
    ['rungate-hop', '1', { code: 'loop_detected' }],
    ['idempotency-key', '""', { code: 'invalid_request', param: 'Idempotency-Key' }],
    ['idempotency-key', '"a', { code: 'invalid_request', param: 'Idempotency-Key' }],
    ['idempotency-key', 'k'.repeat(256), { code: 'invalid_request', param: 'Idempotency-Key' }],
    ['idempotency-key', 'k\u00e9', { code: 'invalid_request', param: 'Idempotency-Key' }],
    ['authorization', '', { code: 'unauthorized' }],
    ['authorization', 'Basic cnVuczpydW5z', { code: 'unauthorized' }],
    ['authorization', 'runs', { code: 'unauthorized' }],
    ['authorization', `Bearer ${LONG}`, { code: 'unauthorized' }],
  ])('%s: %.60s is refused', async (name, value, refusal) => {
    await expectRefusal(await post('{"workflow":"w"}', { [name]: value }), refusal);
  });

  it('finds a loop on paths too that are none of ours: a vendor’s', async () => {
    const headers = { authorization: 'Bearer runs', 'rungate-hop': '1', 'content-type': 'application/json' };
    const answer = await fetch(`${app.url}/v1/workflows/wf/run`, { method: 'POST', headers, body: '{}' });
    expect(await answer.json()).toMatchObject({ error: { code: 'loop_detected' } });
  });

  it('refuses a body without a type', async () => {
    const body = new TextEncoder().encode('{"workflow":"w"}');
    const answer = await fetch(`${app.url}/runs`, { method: 'POST', body, headers: { authorization: 'Bearer runs' } });
    await expectRefusal(answer, { code: 'unsupported_media_type' });
  });

  it('tells that there is no body where there is no type either', async () => {
    const answer = await fetch(`${app.url}/runs`, { method: 'POST', headers: { authorization: 'Bearer runs' } });
    await expectRefusal(answer, { code: 'invalid_json' });
  });

  it.each(['wait=-1', 'wait=soon', ';;,,"', 'respond-async=maybe'])('Prefer: %s is ignored', async (prefer) => {
    await expectRefusal(await post('{}', { prefer }), { code: 'invalid_request', param: 'workflow' });
  });

  it.each(['x y', 'x'.repeat(129), 'é'])('x-request-id: %.20s is replaced', async (given) => {
    const answer = await post('{}', { 'x-request-id': given });
    expect(answer.headers.get('x-request-id')).toMatch(/^req_/);
  });
});

describe('a wrong path or method', () => {
  const headers = { authorization: 'Bearer runs' };
  it.each<[string, string, Refusal]>([
    ['GET', '/', { code: 'not_found' }],
    ['GET', '/run', { code: 'not_found' }],
    ['GET', '/runs/', { code: 'not_found' }],
    ['GET', '//runs', { code: 'not_found' }],
    ['GET', '/RUNS', { code: 'not_found' }],
    ['GET', '/runs/x', { code: 'not_found' }],
    ['GET', `${RUN}x`, { code: 'not_found' }],
    ['GET', RUN.toUpperCase().replace('/RUNS', '/runs'), { code: 'not_found' }],
    ['GET', RUN, { code: 'not_found' }],
    ['GET', '/runs/%00', { code: 'not_found' }],
    ['GET', '/runs/%2e%2e', { code: 'not_found' }],
    ['GET', '/runs/..%2fadmin', { code: 'not_found' }],
    ['GET', `/runs/${LONG}`, { code: 'not_found' }],
    ['POST', `/runs/${LONG}/cancel`, { code: 'not_found' }],
    ['POST', '/runs/a%2fb/cancel', { code: 'not_found' }],
    ['POST', '/nowhere', { code: 'not_found' }],
    ['GET', '/runs/%zz', { code: 'invalid_request' }],
    ['GET', '/runs/%', { code: 'invalid_request' }],
    ['GET', '/runs/%ff', { code: 'invalid_request' }],
    ['PUT', '/nowhere', { code: 'not_found' }],
  ])('%s %.60s', async (method, path, refusal) => {
    await expectRefusal(await fetch(app.url + path, { method, headers }), refusal);
  });

  it.each([
    ['PUT', '/runs', 'GET, HEAD, POST'],
    ['DELETE', '/runs?x=1', 'GET, HEAD, POST'],
    ['PATCH', RUN, 'DELETE, GET, HEAD'],
    ['PUT', RUN, 'DELETE, GET, HEAD'],
    ['POST', RUN, 'DELETE, GET, HEAD'],
    ['GET', `${RUN}/cancel`, 'POST'],
    ['OPTIONS', '/runs', 'GET, HEAD, POST'],
    ['PROPFIND', '/runs', 'GET, HEAD, POST'],
    ['POST', '/healthz', 'GET, HEAD'],
  ])('%s %s is answered with what the path takes', async (method, path, allow) => {
    const body = method === 'PUT' ? '{' : null;
    const answer = await fetch(app.url + path, { method, headers, body });
    expect(answer.headers.get('allow')).toBe(allow);
    await expectRefusal(answer, { code: 'method_not_allowed' });
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1e1', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['status=done', 'status'],
    ['status=running,done', 'status'],
    ['status=', 'status'],
    ['provider=', 'provider'],
    [`workflow=${LONG}`, 'workflow'],
    ['include=secrets', 'include'],
    ['tag=', 'tag'],
    ['tag=a&tag=b', 'tag'],
    [`tag=${LONG}`, 'tag'],
    ['subject=', 'subject'],
    ['metadata=x', 'metadata'],
    ['metadata[]=x', 'metadata[]'],
    ['metadata[a]=1&metadata[a]=2', 'metadata[a]'],
    ['metadata[a]=1&metadata=x', 'metadata'],
    ['metadata[__proto__]=x', 'metadata[__proto__]'],
    [`metadata[${'a'.repeat(65)}]=x`, `metadata[${'a'.repeat(65)}]`],
    [`metadata[a]=${'x'.repeat(513)}`, 'metadata[a]'],
    [Array.from({ length: 33 }, (_, i) => `metadata[k${i}]=x`).join('&'), 'metadata'],
    ['created_after=yesterday', 'created_after'],
    ['created_after=2026-01-31', 'created_after'],
    ['created_after=2026-02-30T00:00:00Z', 'created_after'],
    ['created_before=2026-01-31T12:00:00', 'created_before'],
    ['created_before=2026-01-31T12:00:00+01:00', 'created_before'],
    ['created_before=1767225600000', 'created_before'],
    ['cursor=', 'cursor'],
    ['cursor=abc', 'cursor'],
    [`cursor=${'a'.repeat(101)}`, 'cursor'],
    ['cursor=cnVuXzAxazl6cTAwMDAwMDAwMDAwMDAwMDAwMDAw%3D', 'cursor'],
    ['unknown=1', 'unknown'],
    ['__proto__=1', '__proto__'],
    ['status[]=running', 'status[]'],
  ])('GET /runs?%.60s names the parameter', async (query, param) => {
    const answer = await fetch(`${app.url}/runs?${query}`, { headers });
    const { error } = (await answer.json()) as Envelope;
    expect(answer.status).toBe(400);
    expect(error.code).toBe('invalid_request');
    expect(error.param).toBe(param);
  });
});

describe('a parameter in the query', () => {
  const get = (path: string) => fetch(app.url + path, { headers: { authorization: 'Bearer runs' } });

  it.each([
    '/workflows?x=1',
    '/providers?x=1',
    '/runs?x=1',
    `${RUN}?x=1`,
    `${RUN}/events?x=1`,
    `${RUN}/deliveries?x=1`,
  ])('is refused where nobody reads it: %s', async (path) => {
    const { error } = await expectRefusal(await get(path), { code: 'invalid_request', param: 'x' });
    expect(error.message).toBe('`x`: There is no such field.');
  });

  it('is refused with a body too', async () => {
    await expectRefusal(await post('{ "workflow": "w" }', {}, '/runs?x=1'), { code: 'invalid_request', param: 'x' });
    await expectRefusal(await post('{}', {}, `${RUN}/cancel?x=1`), { code: 'invalid_request', param: 'x' });
  });

  it('is no matter to probes and pages', async () => {
    for (const path of ['/healthz?x=1', '/readyz?x=1', '/docs?x=1', '/openapi.json?x=1']) {
      expect((await get(path)).status).toBe(200);
    }
  });

  it.each([
    ['limit=0', 'limit', 'expected at least 1'],
    ['limit=101', 'limit', 'expected at most 100'],
    ['status=running,nope', 'status', 'expected one of'],
    ['include=x', 'include', 'expected one of'],
  ])('is named as it was sent, with what was expected: %.60s', async (query, param, expected) => {
    const { error } = await expectRefusal(await get(`/runs?${query}`), { code: 'invalid_request', param });
    expect(error.message).toContain(`\`${param}\`: ${expected}`);
  });
});

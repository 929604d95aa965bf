import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { errorBody, GatewayError } from '../../src/core/errors.ts';
import type { Attempt } from '../../src/runs/model.ts';
import type { RenderedRun } from '../../src/runs/render-run.ts';
import { endedWell, refused } from '../support/memory-runs.ts';
import { startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

const VENDOR_HEADERS = { 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '7' };
const RUN_FIELDS = [
  'id',
  'object',
  'status',
  'provider',
  'workflow',
  'subject',
  'inputs',
  'output',
  'error',
  'waiting',
  'partial',
  'upstream',
  'attempts',
  'resolution',
  'metadata',
  'tags',
  'created_at',
  'started_at',
  'finished_at',
  'deadline_at',
];

let app: RunningApp;
beforeEach(async () => {
  app = await startRunsApp();
});
afterEach(() => app[Symbol.asyncDispose]());

async function send(
  path: string,
  init: Omit<RequestInit, 'headers'> & { key?: string; headers?: Record<string, string> } = {},
) {
  const { key = 'runs', headers, ...rest } = init;
  return fetch(app.url + path, { ...rest, headers: { authorization: `Bearer ${key}`, ...headers } });
}

async function start(headers: Record<string, string> = {}, body: object = { workflow: 'w', inputs: { a: 1 } }) {
  const init = { method: 'POST', body: JSON.stringify(body) };
  return send('/runs', { ...init, headers: { 'content-type': 'application/json', ...headers } });
}

async function runOf(answer: Response): Promise<RenderedRun> {
  return (await answer.json()) as RenderedRun;
}

describe('POST /runs, held', () => {
  it.each(['succeeded', 'cancelled', 'timed_out', 'waiting'] as const)(
    'answers 200 and the run once it is %s',
    async (status) => {
      app.runs.behave({ ...endedWell(Date.now()), status }, VENDOR_HEADERS);
      const answer = await start();
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
      const run = await runOf(answer);
      expect(run).toMatchObject({
        object: 'run',
        status,
        workflow: 'w',
        inputs: { a: 1 },
        output: { text: 'Once upon a time' },
      });
      expect(Object.keys(run)).toEqual(RUN_FIELDS);
      expect(answer.headers.get('location')).toBe(`/runs/${run.id}`);
      expect(answer.headers.get('x-ratelimit-remaining')).toBe('7');
      expect(answer.headers.get('server-timing')).toMatch(/^upstream;dur=12\.5, gateway;dur=[\d.]+$/);
      expect(answer.headers.get('preference-applied')).toBeNull();
      expect(answer.headers.get('idempotent-replayed')).toBeNull();
    },
  );

  it('answers 200 when a run fails that the vendor had accepted', async () => {
    app.runs.behave({ status: 'failed', accepted: true, error: errorBody('workflow_failed'), finishedAt: Date.now() });
    const answer = await start();
    expect(answer.status).toBe(200);
    expect((await runOf(answer)).error).toMatchObject({ code: 'workflow_failed', status: 502 });
  });

  it('answers the error when a run fails before it was accepted', async () => {
    app.runs.behave(refused(Date.now(), 12), VENDOR_HEADERS);
    const answer = await start({ 'x-request-id': 'mine-1' });
    expect(answer.status).toBe(429);
    const { error } = (await answer.json()) as Envelope;
    expect(error).toMatchObject({
      code: 'upstream_rate_limited',
      status: 429,
      source: 'upstream',
      request_id: 'mine-1',
    });
    expect(answer.headers.get('location')).toBe(`/runs/${error.run_id}`);
    expect(answer.headers.get('retry-after')).toBe('12');
    expect(error.retry_after_s).toBe(12);
    expect(answer.headers.get('x-ratelimit-limit')).toBe('100');
  });

  it('says when to come back even where the vendor does not', async () => {
    app.runs.behave(refused(Date.now()));
    expect((await start()).headers.get('retry-after')).toBe('10');
    app.runs.behave({ ...refused(Date.now()), error: errorBody('upstream_unavailable') });
    expect((await start()).headers.get('retry-after')).toBe('5');
  });

  it('answers 202 and the run when the wait runs out', async () => {
    app.runs.behave({}, VENDOR_HEADERS);
    const answer = await start({ prefer: 'wait=1' });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBe('wait=1');
    expect(answer.headers.get('location')).toMatch(/^\/runs\/run_/);
    expect(answer.headers.get('x-ratelimit-limit')).toBe('100');
    expect((await runOf(answer)).status).toBe('running');
  });

  it('waits 60 s where nothing is preferred, and at most 300', async () => {
    app.runs.behave(endedWell(Date.now()));
    await start();
    await start({ prefer: 'wait=4000' });
    expect(app.runs.holds.map(({ ms }) => ms)).toEqual([60_000, 300_000]);
  });

  it('hands over the key and the trace', async () => {
    app.runs.behave(endedWell(Date.now()));
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await start({ 'idempotency-key': '"k-1"', traceparent });
    expect(app.runs.created[0]?.context).toEqual({
      idempotencyKey: 'k-1',
      listening: false,
      mayBegin: expect.any(Function),
      trace: { traceparent, tracestate: null },
    });
  });

  it('names the trace that the request belongs to, refusals included', async () => {
    app.runs.behave(endedWell(Date.now()));
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const traced = await start({ traceparent, tracestate: 'a=1' });
    expect([traced.headers.get('traceparent'), traced.headers.get('tracestate')]).toEqual([traceparent, 'a=1']);
    const refused = await start({ traceparent, 'idempotency-key': '' });
    expect([refused.status, refused.headers.get('traceparent')]).toEqual([400, traceparent]);
    const malformed = await start({ traceparent: 'abc', tracestate: 'a=1' });
    expect(malformed.headers.has('traceparent') || malformed.headers.has('tracestate')).toBe(false);
  });

  it('lets no header through that is not the vendor’s rate limit', async () => {
    app.runs.behave(endedWell(Date.now()), {
      'set-cookie': 'a=1',
      'x-ratelimit-reset': 'a\r\nb: c',
      'x-ratelimit-limit': '1',
    });
    const { headers } = await start();
    expect(headers.get('set-cookie')).toBeNull();
    expect(headers.get('x-ratelimit-reset')).toBeNull();
    expect(headers.get('x-ratelimit-limit')).toBe('1');
  });

  it('does not invite to send again a run that is on disk', async () => {
    app.runs.failNext('settle', new GatewayError('store_unavailable'));
    const answer = await start();
    expect(answer.status).toBe(202);
    expect(await runOf(answer)).toMatchObject({ status: 'running', inputs: { a: 1 }, output: null });
  });

  it('stops waiting, and nothing else, when the caller leaves', async () => {
    const client = httpRequest(`${app.url}/runs`, {
      method: 'POST',
      headers: { authorization: 'Bearer runs', 'content-type': 'application/json' },
    });
    client.on('error', () => undefined);
    client.end('{"workflow":"w"}');
    const { signal, id } = await app.runs.firstHold();
    expect(signal.aborted).toBe(false);
    client.destroy();
    if (!signal.aborted) await once(signal, 'abort');
    expect((await runOf(await send(`/runs/${id}`))).status).toBe('running');
    expect(app.log[0]?.fields).toMatchObject({ run_id: id, route: '/runs', status: null });
  });
});

describe('POST /runs, respond-async', () => {
  it.each([
    ['respond-async', 'respond-async'],
    ['wait=0', 'wait=0'],
  ])('Prefer: %s answers 202 without waiting', async (prefer, applied) => {
    app.runs.behave({}, VENDOR_HEADERS);
    const answer = await start({ prefer });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBe(applied);
    expect(answer.headers.get('x-ratelimit-limit')).toBeNull();
    const run = await runOf(answer);
    expect(run).toMatchObject({ status: 'running', inputs: { a: 1 }, output: null });
    expect(answer.headers.get('location')).toBe(`/runs/${run.id}`);
    expect(app.runs.holds).toHaveLength(0);
  });

  it('answers 202 to a replay of an ended run, and shows it as it is', async () => {
    app.runs.behave(endedWell(Date.now()));
    await start({ 'idempotency-key': 'k' });
    const replay = await start({ 'idempotency-key': 'k', prefer: 'respond-async' });
    expect(replay.status).toBe(202);
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    expect(await runOf(replay)).toMatchObject({ status: 'succeeded', output: { text: 'Once upon a time' } });
  });
});

describe('a replay', () => {
  it('answers the same run, says so, and shows no vendor’s headers', async () => {
    app.runs.behave(endedWell(Date.now()), VENDOR_HEADERS);
    const first = await runOf(await start({ 'idempotency-key': 'k' }));
    const replay = await start({ 'idempotency-key': '"k"' }, { inputs: { a: 1 }, workflow: 'w' });
    expect(replay.status).toBe(200);
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    expect(replay.headers.get('x-ratelimit-limit')).toBeNull();
    expect(replay.headers.get('server-timing')).toMatch(/^upstream;dur=0\.0,/);
    expect(await runOf(replay)).toEqual(first);
    expect(app.runs.created).toHaveLength(1);
  });

  it('is refused while the store cannot tell what became of the run', async () => {
    app.runs.behave(endedWell(Date.now()));
    await start({ 'idempotency-key': 'k' });
    app.runs.failNext('settle', new GatewayError('store_unavailable'));
    expect((await start({ 'idempotency-key': 'k' })).status).toBe(503);
  });

  it('of a refused run tells what remains of the time to wait', async () => {
    app.runs.behave(refused(Date.now(), 30));
    await start({ 'idempotency-key': 'k' });
    app.clock.offsetMs = 20_000;
    const later = await start({ 'idempotency-key': 'k' });
    expect(later.status).toBe(429);
    expect(later.headers.get('idempotent-replayed')).toBe('true');
    expect(Number(later.headers.get('retry-after'))).toBeGreaterThanOrEqual(9);
    expect(Number(later.headers.get('retry-after'))).toBeLessThanOrEqual(10);
    app.clock.offsetMs = 60_000;
    expect((await start({ 'idempotency-key': 'k' })).headers.get('retry-after')).toBe('0');
  });

  it('with another body is refused', async () => {
    app.runs.behave(endedWell(Date.now()));
    await start({ 'idempotency-key': 'k' });
    const answer = await start({ 'idempotency-key': 'k' }, { workflow: 'w', inputs: { a: 2 } });
    expect(answer.status).toBe(422);
    expect(((await answer.json()) as Envelope).error.code).toBe('idempotency_key_reused');
  });
});

describe('GET /runs/{id}', () => {
  it('answers 200 even for a refused run, its error inside', async () => {
    app.runs.behave(refused(Date.now(), 12), VENDOR_HEADERS);
    const { error } = (await (await start()).json()) as Envelope;
    const answer = await send(`/runs/${error.run_id}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-ratelimit-limit')).toBeNull();
    expect(answer.headers.get('retry-after')).toBeNull();
    expect((await runOf(answer)).error).toMatchObject({ code: 'upstream_rate_limited', retry_after_s: 12 });
  });

  it('waits for the end where that is preferred', async () => {
    const { id } = await runOf(await start({ prefer: 'respond-async' }));
    const held = send(`/runs/${id}`, { headers: { prefer: 'wait=60' } });
    app.runs.change((await app.runs.firstHold()).id, endedWell(Date.now()));
    const answer = await held;
    expect(answer.headers.get('preference-applied')).toBe('wait=60');
    expect((await runOf(answer)).status).toBe('succeeded');
  });

  it('does not show another key’s run, and tells those who see everyone’s whose it is', async () => {
    const { id } = await runOf(await start({ prefer: 'respond-async' }));
    expect((await send(`/runs/${id}`, { key: 'other' })).status).toBe(404);
    expect(await runOf(await send(`/runs/${id}`, { key: 'admin' }))).toMatchObject({
      key: { id: 'key_runs', name: 'runs' },
    });
    expect(await runOf(await send(`/runs/${id}`))).not.toHaveProperty('key');
  });

  it('answers HEAD without a body', async () => {
    const { id } = await runOf(await start({ prefer: 'respond-async' }));
    const answer = await send(`/runs/${id}`, { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(100);
  });
});

describe('a rendered run', () => {
  const attemptWith = (credentialId: string, at: number): Attempt => ({
    number: 1,
    step: 'start',
    provider: 'p',
    kind: 'k',
    origin: 'https://vendor.example',
    credentialId,
    workflow: 'wf',
    at,
    state: 'began',
    errorCode: null,
  });

  it.each([
    ['file:/etc/secrets/tutor', 'file'],
    ['vault:kv/vendors/tutor#key', 'vault'],
    ['env:TUTOR_KEY', 'env:TUTOR_KEY'],
    ['cred_1', 'cred_1'],
  ])('tells callers of the credential %s only that it is %s, and operators all', async (credentialId, shown) => {
    const at = Date.now();
    app.runs.behave({ ...endedWell(at), attempts: [attemptWith(credentialId, at)] });
    const { id } = await runOf(await start());
    const seenBy = async (key: string) => (await runOf(await send(`/runs/${id}`, { key }))).attempts[0]?.credential;
    expect([await seenBy('runs'), await seenBy('viewer')]).toEqual([shown, credentialId]);
  });

  it('gives times in RFC 3339 with milliseconds and names in snake_case', async () => {
    const at = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
    app.runs.behave({
      ...endedWell(at),
      createdAt: at,
      upstream: {
        runId: 'v1',
        status: 'DONE',
        requestId: 'r1',
        stopped: null,
        pollError: null,
        rateLimit: { limit: 100, remaining: 99, reset: at, observedAt: at },
      },
      attempts: [attemptWith('cred_1', at)],
    });
    const run = await runOf(await start());
    const time = '2026-01-02T03:04:05.006Z';
    expect(run).toMatchObject({ created_at: time, finished_at: time });
    expect(run.upstream).toEqual({
      workflow_id: 'w',
      run_id: 'v1',
      status: 'DONE',
      request_id: 'r1',
      stopped: null,
      poll_error: null,
      rate_limit: { limit: 100, remaining: 99, reset: time, observed_at: time },
    });
    expect(run.attempts).toEqual([
      { step: 'start', provider: 'p', workflow: 'wf', credential: 'cred_1', error_code: null, at: time },
    ]);
  });
});

describe('GET /runs', () => {
  interface Page {
    data: RenderedRun[];
    next_cursor: string | null;
  }
  async function list(query = '', key = 'runs'): Promise<Page> {
    return (await (await send(`/runs${query}`, { key })).json()) as Page;
  }

  it('pages newest first, without payloads unless they are asked for', async () => {
    app.runs.behave(endedWell(Date.now()));
    for (const workflow of ['a', 'b', 'c']) await start({}, { workflow });
    const first = await list('?limit=2');
    expect(first.data.map(({ workflow }) => workflow)).toEqual(['c', 'b']);
    expect(first.data[0]).not.toHaveProperty('inputs');
    expect(first.data[0]).not.toHaveProperty('output');
    const second = await list(`?limit=2&cursor=${first.next_cursor}`);
    expect(second.data.map(({ workflow }) => workflow)).toEqual(['a']);
    expect(second.next_cursor).toBeNull();
    const { data } = await list('?include=output');
    expect(data[0]).toMatchObject({ output: { text: 'Once upon a time' } });
    expect(data[0]).not.toHaveProperty('inputs');
    expect((await list('?include=inputs,output')).data[0]).toMatchObject({ inputs: {}, output: {} });
  });

  it('ends a page of large payloads early, and goes on from there', async () => {
    app.runs.behave({ ...endedWell(Date.now()), output: { text: 'x'.repeat(9_000_000), data: {}, citations: [] } });
    for (const workflow of ['a', 'b', 'c']) await start({}, { workflow });
    const first = await list('?include=output');
    expect(first.data.map(({ workflow }) => workflow)).toEqual(['c', 'b']);
    const rest = await list(`?include=output&cursor=${first.next_cursor}`);
    expect(rest.data.map(({ workflow }) => workflow)).toEqual(['a']);
    expect(rest.next_cursor).toBeNull();
  });

  it('filters by status, provider and workflow, and shows only the caller’s', async () => {
    await start({ prefer: 'respond-async' }, { workflow: 'a', provider: 'p' });
    app.runs.behave(endedWell(Date.now()));
    await start({}, { workflow: 'b' });
    expect((await list('?status=running,waiting')).data).toHaveLength(1);
    expect((await list('?provider=p')).data[0]?.workflow).toBe('a');
    expect((await list('?workflow=b&status=succeeded')).data).toHaveLength(1);
    expect((await list('', 'other')).data).toHaveLength(0);
    expect((await list('', 'admin')).data).toHaveLength(2);
  });
});

describe('commands', () => {
  const post = { method: 'POST' };

  it('cancel answers 200 for what is over and 202 while the vendor is asked', async () => {
    app.runs.behave({ status: 'queued' });
    const queued = await runOf(await start({ prefer: 'respond-async' }));
    const over = await send(`/runs/${queued.id}/cancel`, post);
    expect([over.status, (await runOf(over)).status]).toEqual([200, 'cancelled']);
    app.runs.behave({});
    const { id } = await runOf(await start({ prefer: 'respond-async' }));
    const asked = await send(`/runs/${id}/cancel`, {
      ...post,
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect([asked.status, (await runOf(asked)).status]).toEqual([202, 'cancelling']);
    expect((await send(`/runs/${id}/cancel`, { ...post, key: 'other' })).status).toBe(404);
  });

  it.each([
    ['held', {}, 'settle'],
    ['not held', { prefer: 'respond-async' }, 'get'],
  ] as const)('resume, %s, does not invite to send again what is on disk', async (_how, headers, read) => {
    app.runs.behave({ status: 'waiting' });
    const { id } = await runOf(await start());
    app.runs.failNext(read, new GatewayError('store_unavailable'));
    const answer = await send(`/runs/${id}/resume`, { ...post, headers });
    expect([answer.status, (await runOf(answer)).status]).toEqual([202, 'running']);
  });

  it.each(['resume', 'pause'])('%s of a run that nobody knows is not found', async (verb) => {
    const answer = await send(`/runs/run_01k9zq00000000000000000000/${verb}`, post);
    expect(answer.status).toBe(404);
    expect(((await answer.json()) as Envelope).error).toMatchObject({ code: 'not_found' });
  });
});

describe('the log', () => {
  it('has one line a request, of listed fields, and nothing that the caller wrote', async () => {
    app.runs.behave(endedWell(Date.now()));
    const { id } = await runOf(
      await start({ 'x-request-id': 'r-1' }, { workflow: 'w', inputs: { a: 'canary-input' } }),
    );
    await start({}, { workflow: 'canary/path', metadata: { 'canary-key': 5 } });
    await send('/runs/canary-id');
    await send('/runs/canary-id?canary-query=1');
    expect(app.log).toHaveLength(4);
    expect(app.log[0]?.fields).toMatchObject({
      request_id: 'r-1',
      run_id: id,
      method: 'POST',
      route: '/runs',
      status: 200,
    });
    expect(app.log[2]?.fields).toMatchObject({ route: '/runs/:id', status: 404 });
    expect(app.log[3]?.fields).toMatchObject({ route: '/runs/:id', status: 400 });
    expect(JSON.stringify(app.log)).not.toContain('canary');
  });

  it('has the cause of a fault nobody foresaw, which the answer has not', async () => {
    app.runs.failNext('create', new Error('canary-cause'));
    const answer = await start({ 'x-request-id': 'r-2' });
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'internal', request_id: 'r-2', retryable: false } });
    expect(text).not.toContain('canary');
    const line = app.log.find(({ level }) => level === 'error');
    expect(line?.fields).toMatchObject({ request_id: 'r-2', err: { message: 'canary-cause' } });
  });
});

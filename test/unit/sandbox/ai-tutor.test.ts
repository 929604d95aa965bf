import { describe, expect, it } from 'vitest';
import { ask, CLIENTS, start, useSandbox, type Asked } from './support.ts';

const sandbox = useSandbox();
const vendor = () => sandbox.current.vendors['ai-tutor'];
const headers = () => CLIENTS['ai-tutor'].auth(vendor().key);
const run = (asked: Asked, workflow = 'wf_abc123') =>
  ask(`${vendor().baseUrl}/api/v1/run/${workflow}`, { method: 'POST', headers: headers(), body: {}, ...asked });
const get = (path: string) => ask(vendor().baseUrl + path, { headers: headers() });
const stream = (token: string, workflow = 'runs-5') =>
  ask(`${vendor().baseUrl}/api/v1/run/${workflow}/stream?token=${token}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: { story: 'a dog' },
  });
const UNAUTHORIZED = { error: 'Unauthorized. Please provide a valid secret key.', success: false };

describe('an AI Tutor run', () => {
  it('is answered with its text, which is about the inputs', async () => {
    const { status, body } = await start(sandbox.current, 'ai-tutor', 'wf_abc123');
    expect(status).toBe(200);
    expect(body).toEqual({ success: true, result: expect.stringContaining('a dog named charlie') });
  });

  it('takes any JSON as variables, and none', async () => {
    expect((await run({ body: {} })).status).toBe(200);
    const { body } = await run({ body: { list: [1, { a: null }], flag: true, 'naïve ✓': 'ü' } });
    expect(body.result).toContain('list = [1,{"a":null}]; flag = true; naïve ✓ = "ü"');
  });

  it('has citations where the workflow searches the web', async () => {
    expect((await run({}, 'cites-2')).body.citations).toHaveLength(2);
    expect((await run({}, 'cites-0')).body.citations).toEqual([]);
  });

  it('shows the rate limit on every answer to a run', async () => {
    const [first, second] = [await run({}), await run({ body: [] })];
    const limit = Number(first.headers.get('x-ratelimit-limit'));
    expect(Number(first.headers.get('x-ratelimit-remaining'))).toBe(limit - 1);
    expect(second.status).toBe(400);
    expect(Number(second.headers.get('x-ratelimit-remaining'))).toBe(limit - 2);
    expect((await run({}, 'status-429')).headers.get('x-ratelimit-remaining')).toBe('0');
    expect((await run({}, 'status-500')).headers.get('x-ratelimit-limit')).toBe(String(limit));
  });

  it('fails as the documents show', async () => {
    const { status, body } = await run({}, 'fails');
    expect(status).toBe(500);
    expect(body).toEqual({ error: expect.any(String), success: false, code: 'internal_server_error' });
    expect(sandbox.current.starts()).toMatchObject([{ workflow: 'fails', began: true, runId: null }]);
  });

  it.each([
    [401, UNAUTHORIZED],
    [402, { error: expect.stringMatching(/^No credits remaining\./), success: false, code: expect.any(String) }],
    [404, { error: 'Workflow not found or not published.', success: false }],
    [429, { error: 'Rate limit exceeded', success: false }],
    [500, { error: expect.any(String), success: false, code: 'internal_server_error' }],
  ])('answers %i with the documented body', async (status, body) => {
    expect(await run({}, `status-${status}`)).toMatchObject({ status, body });
  });

  it('answers in the shape of the older pages', async () => {
    const { body } = await run({}, 'status-404-older');
    expect(body).toEqual({ success: false, error: { message: expect.any(String), code: 'workflow_not_found' } });
  });

  it('costs a credit, which the balance shows', async () => {
    const before = (await get('/api/v1/balance')).body;
    await run({});
    await run({}, 'fails');
    expect(before).toEqual({ success: true, credits: expect.any(Number) });
    expect((await get('/api/v1/balance')).body.credits).toBe(before.credits - 1);
  });
});

describe('AI Tutor refuses', () => {
  it('a missing or wrong key, and a key in another header', async () => {
    const key = vendor().key;
    for (const wrong of [{}, { authorization: 'Bearer wrong' }, { authorization: key }, { 'x-api-key': key }]) {
      const type = { 'content-type': 'application/json' };
      expect(await run({ headers: { ...type, ...wrong } })).toMatchObject({ status: 401, body: UNAUTHORIZED });
      expect((await ask(`${vendor().baseUrl}/api/v1/balance`, { headers: wrong })).status).toBe(401);
      expect((await ask(`${vendor().baseUrl}/api/v1/token`, { headers: wrong })).status).toBe(401);
    }
    expect(sandbox.current.starts()).toEqual([]);
  });

  it('a body that is no JSON object, or is not said to be JSON', async () => {
    for (const asked of [{ body: [] }, { body: 'text' }, { raw: '{' }, { raw: '' }]) {
      expect(await run(asked)).toMatchObject({ status: 400, body: { error: expect.any(String), success: false } });
    }
    const { authorization = '' } = headers();
    expect((await run({ raw: '{}', headers: { authorization, 'content-type': 'text/plain' } })).status).toBe(400);
  });

  it('an unknown path and a wrong method', async () => {
    expect((await get('/api/v1/runs/wf_abc123')).status).toBe(404);
    expect((await get('/api/v1/run/wf_abc123')).status).toBe(405);
    expect((await run({ method: 'PUT' })).headers.get('allow')).toBe('POST');
  });
});

describe('an AI Tutor stream', () => {
  it('takes a token once, without the secret key', async () => {
    const { status, body } = await get('/api/v1/token?ttl=5');
    expect(status).toBe(200);
    expect(body).toEqual({ success: true, token: expect.stringMatching(/^pub_tok_/), ttl: 5 });
    const streamed = await stream(body.token);
    expect(streamed.headers.get('content-type')).toContain('text/plain');
    expect(streamed.body).toContain('a dog');
    expect((await stream(body.token)).status).toBe(401);
    expect((await stream('pub_tok_unknown')).status).toBe(401);
    const expired = (await get('/api/v1/token?ttl=5')).body.token;
    sandbox.skip(5_000);
    expect((await stream(expired)).status).toBe(401);
    expect(sandbox.current.starts()).toHaveLength(1);
  });

  it('fails and is cut like a run', async () => {
    const token = async () => (await get('/api/v1/token')).body.token as string;
    expect((await stream(await token(), 'status-402')).status).toBe(402);
    expect((await stream(await token(), 'fails')).status).toBe(500);
    await expect(stream(await token(), 'cut-in-body')).rejects.toThrow(TypeError);
  });

  it('has tokens of 1 to 300 s, 60 where nothing is asked', async () => {
    expect((await get('/api/v1/token')).body.ttl).toBe(60);
    for (const ttl of ['1', '300']) expect((await get(`/api/v1/token?ttl=${ttl}`)).status).toBe(200);
    for (const ttl of ['0', '301', '-1', '1.5', 'x', '']) {
      const { status, body } = await get(`/api/v1/token?ttl=${ttl}`);
      expect([status, body]).toEqual([400, { error: expect.any(String), success: false, code: 'invalid_ttl' }]);
    }
  });
});

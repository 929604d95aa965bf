import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey, type NewKey } from '../../src/access/keys.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { QUICK_KINDS } from '../contract/vendors/contract-table.ts';
import { prepareTestGateway, type TestGateway } from '../support/gateway.ts';
import { startOidcIssuer, type OidcIssuer } from '../support/oidc-issuer.ts';

const OWN = 'https://app.example.com';
const SECOND = 'https://second.example.com';
const CONFIGURED = 'https://console.example.com';
const OTHER = 'https://evil.example';
const ASYNC = { prefer: 'respond-async' };

let gateway: TestGateway;
let issuer: OidcIssuer;
let userKey: { id: string; key: string };

beforeAll(async () => {
  gateway = await prepareTestGateway({
    kinds: QUICK_KINDS,
    workflows: {
      ask: { provider: 'ai-tutor', workflow: 'ask-it' },
      slow: { provider: 'ai-tutor', workflow: 'slow-3000' },
      wait: { provider: 'ai-tutor', workflow: 'slow-60000' },
      secret: { provider: 'ai-tutor', workflow: 'secret-it' },
    },
  });
  userKey = await keyWith({ name: 'users' });
  issuer = await startOidcIssuer({ keyId: userKey.id });
  const { RUNGATE_CONFIG: file = '' } = gateway.environment;
  const settings = issuer.settings();
  const access = {
    origins: [CONFIGURED],
    issuers: [{ issuer: settings.issuer, audience: settings.audience, key: userKey.id, allow_private_network: true }],
  };
  const config = JSON.parse(await readFile(file, 'utf8'));
  config.workflows.form = { provider: 'interactly', workflow: gateway.workflowId('interactly', 'asks') };
  await writeFile(file, JSON.stringify({ ...config, access }));
  await gateway.startUp();
});
afterAll(async () => {
  await gateway.stop();
  await issuer[Symbol.asyncDispose]();
});

async function keyWith(given: Partial<NewKey> = {}): Promise<{ id: string; key: string }> {
  const rights = { name: 'n', role: 'runs', allowedWorkflows: [], allowedProviders: [], expiresAt: null } as const;
  const made = createKey({ ...rights, ...given }, { clock: systemClock, random: createSystemRandom() });
  await gateway.command(({ store }) => store.keys.insert(made.stored));
  return { id: made.stored.id, key: made.key.open() };
}

/** Whoever holds this key, token or JWT. */
function as(bearer: string, origin?: string) {
  const headers = { authorization: `Bearer ${bearer}`, ...(origin === undefined ? {} : { origin }) };
  return {
    get: (path: string, more = {}) => gateway.get(path, { ...headers, ...more }),
    post: (path: string, body: object = {}, more = {}) => gateway.post(path, body, { ...headers, ...more }),
    start: (workflow = 'ask', more = {}) => gateway.post('/runs', { workflow }, { ...headers, ...more }),
    async delete(path: string) {
      const response = await fetch(gateway.url() + path, { method: 'DELETE', headers });
      return { status: response.status, body: await response.json() };
    },
  };
}

async function tokenOf(key: string, body: object = {}): Promise<string> {
  const made = await as(key).post('/tokens', { workflows: ['ask', 'slow'], ...body });
  expect(made.status).toBe(200);
  return made.body.token as string;
}

const code = (status: number, name: string) => ({ status, body: { error: { code: name } } });

describe('POST /tokens', () => {
  it('answers with a token that runs what it is for', async () => {
    const { key, id } = await keyWith();
    const before = Date.now();
    const made = await as(key).post('/tokens', { workflows: ['ask'], subject: 'user-42' });
    expect(made).toMatchObject({ status: 200, body: { token: expect.stringMatching(/^rgt_/) } });
    expect(Object.keys(made.body)).toEqual(['token', 'expires_at']);
    expect(made.headers.get('cache-control')).toBe('no-store');
    const endsInMs = Date.parse(made.body.expires_at as string) - before;
    expect(endsInMs).toBeGreaterThan(598_000);
    expect(endsInMs).toBeLessThanOrEqual(601_000);
    const run = await as(made.body.token).start();
    expect(run).toMatchObject({ status: 200, body: { status: 'succeeded', workflow: 'ask', subject: 'user-42' } });
    // Whose key it is, is the admins' to know.
    expect(run.body).not.toHaveProperty('key');
    const admin = await gateway.client('admin');
    expect((await admin.get(`/runs/${run.body.id}`)).body).toMatchObject({ subject: 'user-42', key: { id } });
  });

  it.each<[string, object, string]>([
    ['no workflows', { workflows: [] }, 'workflows'],
    ['none at all', { workflows: undefined }, 'workflows'],
    ['too many', { workflows: Array.from({ length: 101 }, () => 'ask') }, 'workflows'],
    ['a workflow that is no text', { workflows: [1] }, 'workflows.0'],
    ['an origin with a path', { origin: `${OWN}/` }, 'origin'],
    ['an origin in plain HTTP', { origin: 'http://app.example.com' }, 'origin'],
    ['any origin', { origin: '*' }, 'origin'],
    ['an origin that nobody names', { origin: OTHER }, 'origin'],
    ['an empty subject', { subject: '' }, 'subject'],
    ['a subject that looks like a scope', { subject: '\ntok_1' }, 'subject'],
    ['a long subject', { subject: 'x'.repeat(201) }, 'subject'],
    ['no runs', { max_runs: 0 }, 'max_runs'],
    ['half a run', { max_runs: 1.5 }, 'max_runs'],
    ['too many runs', { max_runs: 1_000_001 }, 'max_runs'],
    ['no time', { ttl_s: 0 }, 'ttl_s'],
    ['more than an hour', { ttl_s: 3601 }, 'ttl_s'],
    ['a provider', { provider: 'ai-tutor' }, 'provider'],
    ['a role', { role: 'admin' }, 'role'],
  ])('refuses %s', async (_, body, param) => {
    const answer = await gateway.post('/tokens', { workflows: ['ask'], ...body });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid_request', param } } });
  });

  it('says of an origin that nobody names what to do', async () => {
    const { body } = await gateway.post('/tokens', { workflows: ['ask'], origin: OTHER });
    expect(body.error.message).toContain('keys create --origin');
    expect(body.error.message).toContain('access.origins');
  });

  it('takes an origin that the key or the configuration names', async () => {
    const { key } = await keyWith({ origins: [OWN] });
    await tokenOf(key, { origin: OWN });
    await tokenOf(key, { origin: CONFIGURED });
    expect(await as(key).post('/tokens', { workflows: ['ask'], origin: SECOND })).toMatchObject(
      code(400, 'invalid_request'),
    );
  });

  it('knows the workflows: registered ones, and the key’s own', async () => {
    expect(await gateway.post('/tokens', { workflows: ['ask', 'nope'] })).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown_workflow', param: 'workflows.1' } },
    });
    const { key } = await keyWith({ allowedWorkflows: ['ask'] });
    expect(await as(key).post('/tokens', { workflows: ['ask', 'secret'] })).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden', param: 'workflows.1' } },
    });
    const byProvider = await keyWith({ allowedProviders: ['ai-tutor'] });
    expect(await as(byProvider.key).post('/tokens', { workflows: ['ask'] })).toMatchObject(code(403, 'forbidden'));
  });

  it('is for keys of role runs alone', async () => {
    for (const role of ['viewer', 'admin'] as const) {
      const key = await gateway.key(role);
      expect(await as(key).post('/tokens', { workflows: ['ask'] })).toMatchObject(code(403, 'forbidden'));
    }
    const token = await tokenOf((await keyWith()).key);
    expect(await as(token).post('/tokens', { workflows: ['ask'] })).toMatchObject(code(403, 'forbidden'));
    expect(await as('nope').post('/tokens', { workflows: ['ask'] })).toMatchObject(code(401, 'unauthorized'));
  });

  it('gives none that outlives its key', async () => {
    const expiresAt = Date.now() + 5_000;
    const { key } = await keyWith({ expiresAt });
    const { body } = await as(key).post('/tokens', { workflows: ['ask'], ttl_s: 3600 });
    expect(Date.parse(body.expires_at as string)).toBeLessThanOrEqual(expiresAt);
  });

  it('keeps its signing key sealed, for the next process too', async () => {
    const token = await tokenOf((await keyWith()).key);
    await gateway.shutDown();
    await gateway.startUp();
    expect((await as(token).get('/me')).status).toBe(200);
    const again = await tokenOf((await keyWith()).key);
    const kid = (text: string) =>
      JSON.parse(Buffer.from(text.slice(4).split('.')[0] ?? '', 'base64url').toString()).kid;
    expect(kid(again)).toBe(kid(token));
  });
});

describe('a token', () => {
  it('runs its registered workflows and nothing else', async () => {
    const { key } = await keyWith();
    const token = as(await tokenOf(key));
    expect((await token.start()).status).toBe(200);
    expect(await token.start('secret')).toMatchObject(code(403, 'forbidden'));
    const direct = await token.post('/runs', { provider: 'ai-tutor', workflow: 'ask' });
    expect(direct).toMatchObject(code(403, 'forbidden'));
    const { body } = await token.get('/workflows');
    expect(body.data.map(({ name }: { name: string }) => name)).toEqual(['ask', 'slow']);
    expect((await token.get('/providers')).body.data).toEqual([]);
  });

  it('sets no webhook, changes no secret, and deletes no record', async () => {
    const { key } = await keyWith();
    // Without a subject too, which is no key for all that.
    const token = as(await tokenOf(key));
    const webhook = { url: 'https://hooks.example.com/' };
    expect(await token.post('/runs', { workflow: 'ask', webhook })).toMatchObject(code(403, 'forbidden'));
    expect(await token.post('/me/webhook-secret')).toMatchObject(code(403, 'forbidden'));
    const { body: run } = await token.start();
    expect(await token.delete(`/runs/${run.id}`)).toMatchObject(code(403, 'forbidden'));
    expect((await as(key).delete(`/runs/${run.id}`)).status).toBe(200);
  });

  it('sees its subject’s runs, its key all, and another nothing', async () => {
    const { key } = await keyWith();
    const one = as(await tokenOf(key, { subject: 'one' }));
    const oneAgain = as(await tokenOf(key, { subject: 'one' }));
    const two = as(await tokenOf(key, { subject: 'two' }));
    const alone = as(await tokenOf(key));
    const alsoAlone = as(await tokenOf(key));
    const runs: Record<string, string> = {};
    for (const [name, who] of Object.entries({ one, two, alone, key: as(key) })) {
      runs[name] = (await who.start()).body.id as string;
    }
    const seenBy = async (who: ReturnType<typeof as>) => {
      const { body } = await who.get('/runs');
      const listed = new Set(body.data.map(({ id }: { id: string }) => id));
      const seen = [];
      for (const [name, id] of Object.entries(runs)) {
        const { status } = await who.get(`/runs/${id}`);
        // A list shows what a look finds, and another's run does not exist.
        expect([status, listed.has(id)]).toEqual([status === 200 ? 200 : 404, status === 200]);
        if (status === 200) seen.push(name);
        else {
          for (const path of ['events', 'deliveries']) {
            expect((await who.get(`/runs/${id}/${path}`)).status).toBe(404);
          }
          for (const verb of ['cancel', 'pause', 'resume']) {
            expect((await who.post(`/runs/${id}/${verb}`)).status).toBe(404);
          }
        }
      }
      return seen;
    };
    expect(await seenBy(one)).toEqual(['one']);
    expect(await seenBy(oneAgain)).toEqual(['one']);
    expect(await seenBy(two)).toEqual(['two']);
    expect(await seenBy(alone)).toEqual(['alone']);
    expect(await seenBy(alsoAlone)).toEqual([]);
    expect(await seenBy(as(key))).toEqual(['one', 'two', 'alone', 'key']);
    expect(await seenBy(as((await keyWith()).key))).toEqual([]);
    expect(await seenBy(as(await gateway.key('admin')))).toEqual(['one', 'two', 'alone', 'key']);
  });

  it('is no subject in lists and answers where it has none', async () => {
    const { key } = await keyWith();
    const token = await tokenOf(key);
    const { body: run } = await as(token).start();
    expect(run.subject).toBeNull();
    expect((await as(key).get(`/runs/${run.id}`)).body.subject).toBeNull();
    const { body: me } = await as(token).get('/me');
    const scope = encodeURIComponent(`\n${me.token.id}`);
    expect(await as(key).get(`/runs?subject=${scope}`)).toMatchObject(code(400, 'invalid_request'));
    await as(await tokenOf(key, { subject: 'u' })).start();
    expect((await as(key).get('/runs?subject=u')).body.data).toHaveLength(1);
    expect((await as(token).get('/runs?subject=u')).body.data).toEqual([]);
  });

  it('shares idempotency keys with its subject, and with nobody else', async () => {
    const { key } = await keyWith();
    const headers = { 'idempotency-key': 'same' };
    const first = await as(await tokenOf(key, { subject: 'one' })).start('ask', headers);
    const again = await as(await tokenOf(key, { subject: 'one' })).start('ask', headers);
    expect(again.body.id).toBe(first.body.id);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    const others = [await tokenOf(key, { subject: 'two' }), await tokenOf(key), await tokenOf(key), key];
    const ids = new Set([first.body.id]);
    for (const other of others) ids.add((await as(other).start('ask', headers)).body.id);
    expect(ids.size).toBe(5);
  });

  it('answers its own runs that wait, as its key may, each with idempotency keys of its own', async () => {
    const { key } = await keyWith();
    const wanted = { workflows: ['form'], subject: 'one' };
    const token = as(await tokenOf(key, wanted));
    const other = as(await tokenOf(key, { ...wanted, subject: 'two' }));
    const headers = { 'idempotency-key': 'answer' };
    for (const who of [token, as(key)]) {
      const { body: run } = await token.start('form');
      expect(run).toMatchObject({ status: 'waiting', subject: 'one' });
      expect((await other.post(`/runs/${run.id}/resume`, { inputs: {} }, headers)).status).toBe(404);
      const resumed = await who.post(`/runs/${run.id}/resume`, { inputs: { answer: 'b' } }, headers);
      expect(resumed).toMatchObject({ status: 200, body: { id: run.id, subject: 'one' } });
      const again = await who.post(`/runs/${run.id}/resume`, { inputs: { answer: 'b' } }, headers);
      expect([again.body.id, again.headers.get('idempotent-replayed')]).toEqual([run.id, 'true']);
    }
  });

  it('answers no run of a workflow that it was not made for', async () => {
    const { key } = await keyWith();
    const { body: run } = await as(await tokenOf(key, { workflows: ['form'], subject: 'one' })).start('form');
    const narrow = as(await tokenOf(key, { workflows: ['ask'], subject: 'one' }));
    expect(await narrow.post(`/runs/${run.id}/resume`, { inputs: { answer: 'b' } })).toMatchObject(
      code(403, 'forbidden'),
    );
    expect((await narrow.get(`/runs/${run.id}`)).body).toMatchObject({ status: 'waiting' });
    expect((await narrow.post(`/runs/${run.id}/cancel`)).body).toMatchObject({ id: run.id });
  });

  it('learns nothing of another’s run from how long the answer takes', async () => {
    const { key } = await keyWith();
    const { body: run } = await as(await tokenOf(key, { subject: 'one' })).start('slow', ASYNC);
    const begun = performance.now();
    for (const other of [await tokenOf(key, { subject: 'two' }), (await keyWith()).key]) {
      expect(await as(other).get(`/runs/${run.id}`, { prefer: 'wait=30' })).toMatchObject(code(404, 'not_found'));
    }
    expect(performance.now() - begun).toBeLessThan(1_500);
    expect((await as(key).get(`/runs/${run.id}`)).body.status).toBe('running');
  });

  it('cancels its own runs', async () => {
    const token = as(await tokenOf((await keyWith()).key));
    const { body: run } = await token.start('slow', ASYNC);
    expect((await token.post(`/runs/${run.id}/cancel`)).body).toMatchObject({ id: run.id });
  });

  it('is refused in time: expired, revoked, changed', async () => {
    const { key, id } = await keyWith();
    const short = await tokenOf(key, { ttl_s: 1 });
    const long = await tokenOf(key);
    expect((await as(long).get('/me')).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const expired = await as(short).get('/me');
    expect(expired).toMatchObject(code(401, 'unauthorized'));
    expect(expired.headers.get('www-authenticate')).toContain('Bearer');
    await gateway.command(({ store }) => store.keys.revoke(id, Date.now()));
    await expect.poll(async () => (await as(long).get('/me')).status, { timeout: 1_000, interval: 50 }).toBe(401);
  });
});

describe('a token’s runs', () => {
  it('are as many as it may begin: then it reads on, and replays', async () => {
    const { key } = await keyWith();
    const token = as(await tokenOf(key, { max_runs: 2, subject: 'u' }));
    const first = await token.start('ask', { 'idempotency-key': 'one' });
    for (let times = 0; times < 3; times++) {
      expect((await token.start('ask', { 'idempotency-key': 'one' })).body.id).toBe(first.body.id);
    }
    expect((await token.get('/me')).body.limits.token_runs).toEqual({ limit: 2, used: 1 });
    expect((await token.start()).status).toBe(200);
    const over = await token.start();
    expect(over).toMatchObject({
      status: 429,
      body: { error: { code: 'quota_exceeded', retryable: false, run_id: null } },
    });
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(590);
    expect((await token.get(`/runs/${first.body.id}`)).status).toBe(200);
    expect((await token.start('ask', { 'idempotency-key': 'one' })).status).toBe(200);
    // Another token of the same user has a count of its own, and the key has none.
    expect((await as(await tokenOf(key, { max_runs: 1, subject: 'u' })).start()).status).toBe(200);
    expect((await as(key).start()).status).toBe(200);
  });

  it('are exactly as many, however many are wanted together', async () => {
    const token = as(await tokenOf((await keyWith()).key, { max_runs: 5 }));
    const answers = await Promise.all(Array.from({ length: 40 }, () => token.start('ask', ASYNC)));
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(202), count(429)]).toEqual([5, 35]);
    expect((await token.get('/runs')).body.data).toHaveLength(5);
  });

  it('count against what its key may have', async () => {
    const limits = { requestsPerMinute: 100, concurrentRuns: null, runsPerDay: 2 };
    const { key } = await keyWith({ limits });
    expect((await as(await tokenOf(key)).start()).status).toBe(200);
    expect((await as(await tokenOf(key)).start()).status).toBe(200);
    expect(await as(key).start()).toMatchObject(code(429, 'quota_exceeded'));
  });
});

describe('a page', () => {
  it('uses the token that was made for it, and no other page does', async () => {
    const { key } = await keyWith({ origins: [OWN, SECOND] });
    const token = await tokenOf(key, { origin: OWN });
    const before = gateway.sandbox.starts({ workflow: 'ask-it' }).length;
    for (const origin of [SECOND, CONFIGURED, OTHER, 'null']) {
      expect(await as(token, origin).start()).toMatchObject(code(403, 'forbidden'));
    }
    expect(gateway.sandbox.starts({ workflow: 'ask-it' })).toHaveLength(before);
    expect((await as(token, OWN).start()).status).toBe(200);
    expect((await as(token).start()).status).toBe(200);
  });

  it('uses a key only where the key or the configuration names it', async () => {
    const { key } = await keyWith({ origins: [OWN] });
    expect((await as(key, OWN).get('/me')).status).toBe(200);
    expect((await as(key, CONFIGURED).get('/me')).status).toBe(200);
    expect(await as(key, OTHER).get('/me')).toMatchObject(code(403, 'forbidden'));
    expect((await as((await keyWith()).key, OTHER).get('/me')).status).toBe(200);
  });

  it('follows its run with the token in the address, where a key is none', async () => {
    const { key } = await keyWith();
    const token = await tokenOf(key);
    const { body: run } = await as(token).start();
    const path = (shown: string) => `${gateway.url()}/runs/${run.id}/events?token=${encodeURIComponent(shown)}`;
    const json = { headers: { accept: 'application/json' } };
    expect((await fetch(path(token), json)).status).toBe(200);
    for (const other of [key, await issuer.sign(), 'rgt_x', token.slice(1)]) {
      expect((await fetch(path(other), json)).status).toBe(401);
    }
    expect((await fetch(path(await tokenOf((await keyWith()).key)), json)).status).toBe(404);
    // Nowhere else.
    expect((await fetch(`${gateway.url()}/runs/${run.id}?token=${token}`)).status).toBeGreaterThanOrEqual(400);
    expect((await fetch(`${gateway.url()}/me?token=${token}`)).status).toBeGreaterThanOrEqual(400);
  });
});

describe('GET /me', () => {
  it('tells a key what it may, and what of that is used', async () => {
    const limits = { requestsPerMinute: 100, concurrentRuns: 9, runsPerDay: 8 };
    const expiresAt = Date.UTC(2099, 0, 1);
    const given = {
      allowedWorkflows: ['ask', 'slow'],
      allowedProviders: ['b3os/x'],
      origins: [OWN],
      limits,
      expiresAt,
    };
    const { key, id } = await keyWith({ name: 'web', ...given });
    await as(key).start('slow', ASYNC);
    const { body } = await as(key).get('/me');
    expect(body).toEqual({
      key: { id, name: 'web', role: 'runs' },
      token: null,
      subject: null,
      workflows: ['ask', 'slow'],
      providers: ['b3os/x'],
      origins: [OWN],
      limits: {
        requests_per_minute: { limit: 100, used: 2 },
        concurrent_runs: { limit: 9, used: 1 },
        runs_per_day: { limit: 8, used: 1 },
        token_runs: { limit: null, used: null },
      },
      expires_at: '2099-01-01T00:00:00.000Z',
    });
  });

  it('tells of what has no bound', async () => {
    const { key } = await keyWith();
    const none = { limit: null, used: null };
    expect((await as(key).get('/me')).body).toMatchObject({
      workflows: null,
      providers: null,
      origins: [],
      limits: {
        requests_per_minute: none,
        concurrent_runs: { limit: null, used: 0 },
        runs_per_day: none,
        token_runs: none,
      },
      expires_at: null,
    });
    const viewer = await gateway.key('viewer');
    expect((await as(viewer).get('/me')).body).toMatchObject({ key: { role: 'viewer' }, workflows: [], providers: [] });
  });

  it('tells a token what is left of its key', async () => {
    const { key } = await keyWith({ origins: [OWN] });
    const made = await as(key).post('/tokens', { workflows: ['ask'], origin: OWN, subject: 'u', max_runs: 3 });
    const { body } = await as(made.body.token).get('/me');
    expect(body).toMatchObject({
      token: { id: expect.stringMatching(/^tok_/), origin: OWN },
      subject: 'u',
      workflows: ['ask'],
      providers: [],
      origins: [OWN],
      limits: { token_runs: { limit: 3, used: 0 } },
      expires_at: made.body.expires_at,
    });
  });
});

describe('a signed-in user', () => {
  it('comes with their own JWT, as the subject of the issuer’s key', async () => {
    const user = as(await issuer.sign({ claims: { sub: 'ada' } }), CONFIGURED);
    const { body: run } = await user.start();
    expect(run).toMatchObject({ status: 'succeeded', subject: 'ada' });
    expect((await as(await issuer.sign({ claims: { sub: 'bob' } })).get(`/runs/${run.id}`)).status).toBe(404);
    expect((await as(await issuer.sign({ claims: { sub: 'ada', jti: 'later' } })).get(`/runs/${run.id}`)).status).toBe(
      200,
    );
    expect((await as(userKey.key).get(`/runs/${run.id}`)).status).toBe(200);
    expect((await user.get('/me')).body).toMatchObject({ subject: 'ada', workflows: null, providers: [] });
  });

  it('may no more than a token: no vendor’s ids, no webhooks, no tokens, no third pages', async () => {
    const jwt = await issuer.sign();
    const user = as(jwt);
    for (const answer of [
      await user.post('/runs', { provider: 'ai-tutor', workflow: 'ask' }),
      await user.post('/runs', { workflow: 'ask', webhook: { url: 'https://hooks.example.com/' } }),
      await user.post('/tokens', { workflows: ['ask'] }),
      await user.post('/me/webhook-secret'),
      await as(jwt, OTHER).get('/me'),
    ]) {
      expect(answer).toMatchObject(code(403, 'forbidden'));
    }
  });

  it('is refused with a JWT that is not in order', async () => {
    for (const claims of [{ aud: 'other' }, { exp: 1 }, { sub: '' }]) {
      expect(await as(await issuer.sign({ claims })).get('/me')).toMatchObject(code(401, 'unauthorized'));
    }
    const stranger = await issuer.newKey('first');
    expect(await as(await issuer.sign({ key: stranger })).get('/me')).toMatchObject(code(401, 'unauthorized'));
  });
});

describe('an issuer that is taken out of the configuration', () => {
  it('takes its users’ waits with it, and nobody else’s', async () => {
    const user = as(await issuer.sign());
    const body = { workflow: 'wait', on_disconnect: 'continue' };
    const held = user.post('/runs', body, { prefer: 'wait=60' });
    let others = 0;
    const other = as(userKey.key).post('/runs', body, { prefer: 'wait=60' });
    void other.then(() => others++);
    await expect.poll(async () => (await as(userKey.key).get('/runs?workflow=wait')).body.data.length).toBe(2);
    const { RUNGATE_CONFIG: file = '' } = gateway.environment;
    const config = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...config, access: { origins: [CONFIGURED] } }));
    expect(await held).toMatchObject(code(401, 'unauthorized'));
    expect(await user.get('/me')).toMatchObject(code(401, 'unauthorized'));
    expect(others).toBe(0);
    for (const { id } of (await as(userKey.key).get('/runs?workflow=wait')).body.data as { id: string }[]) {
      await as(userKey.key).post(`/runs/${id}/cancel`);
    }
    expect((await other).body).toMatchObject({ status: 'cancelled' });
  });
});

import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reviveJson } from '../../src/core/json.ts';
import type { RouteEntry } from '../../src/http/app.ts';
import { buildAdminApp } from '../../src/http/build-admin-app.ts';
import { buildRunsApp } from '../../src/http/build-runs-app.ts';
import { idleAdminParts } from '../support/admin-app.ts';
import { startTestGateway, type Answered, type TestGateway } from '../support/gateway.ts';
import { createAnswerCheck } from '../support/openapi-answers.ts';
import { readOpenApi, type DescribedOperation } from '../support/openapi.ts';
import { runsAppParts } from '../support/runs-app.ts';

const SECRET = 'sk_marker-of-a-secret-that-nobody-may-see';
const NOBODYS_RUN = 'run_00000000000000000000000000';

let gateway: TestGateway;
let keys: Record<'viewer' | 'admin' | 'runs', string>;
beforeAll(async () => {
  gateway = await startTestGateway({
    workflows: { tutor: { provider: 'ai-tutor', workflow: 'wf_1' } },
    providers: () => ({ bare: { kind: 'b3os', baseUrl: 'https://b3os.invalid', secret: null } }),
  });
  keys = {
    viewer: await gateway.key('viewer'),
    admin: await gateway.key('admin'),
    runs: await gateway.key('runs', 'website'),
  };
});
afterAll(() => gateway.stop());

type Method = 'GET' | 'POST' | 'DELETE';

const described = readOpenApi('admin');
const faultsOf = createAnswerCheck(described);

/** What the document says of a request. */
function operationOf(method: Method, path: string): DescribedOperation {
  const { pathname } = new URL(path, 'http://gateway');
  // A fixed path goes before one with a hole.
  const names = Object.keys(described.paths).sort((a, b) => a.split('{').length - b.split('{').length);
  const name = names.find((one) => new RegExp(`^${one.replaceAll(/{\w+}/g, '[^/]+')}$`).test(pathname)) ?? '';
  const operation = described.paths[name]?.[method.toLowerCase()];
  if (operation === undefined) throw new Error(`the document has no ${method} ${path}`);
  return operation;
}

const headersOf = ({ headers }: Response) => Object.fromEntries(headers);

/** Asks the admin API as somebody. */
async function ask(method: Method, path: string, body?: object, key: string = keys.admin): Promise<Answered> {
  const headers = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) };
  const answer = await fetch(gateway.adminUrl() + path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.text();
  expect(text).not.toContain(SECRET);
  expect(
    faultsOf(operationOf(method, path), { status: answer.status, headers: headersOf(answer), body: text }),
  ).toEqual([]);
  return { status: answer.status, headers: answer.headers, body: text === '' ? null : reviveJson(text) };
}

/** The newest entries of the audit log, the newest first. */
async function audited(
  limit: number,
): Promise<{ seq: number; action: string; target: object; outcome: string; details: object }[]> {
  return (await ask('GET', `/admin/audit?limit=${limit}`)).body.data;
}

describe('/admin/credentials', () => {
  const wanted = { provider: 'interactly', secret: SECRET, label: 'second', weight: 3 };

  it('takes a secret, lists it without, and lets it go', async () => {
    const added = await ask('POST', '/admin/credentials', wanted);
    expect(added.status).toBe(201);
    const { id } = added.body;
    const shown = { id, object: 'credential', provider: 'interactly', label: 'second', weight: 3, state: 'usable' };
    expect(added.body).toMatchObject(shown);
    const listed = await ask('GET', '/admin/credentials', undefined, keys.viewer);
    expect(listed.body.data[0]).toEqual(added.body);
    expect(listed.body.references).toEqual([]);
    const target = { type: 'credential', id };
    expect(await audited(1)).toMatchObject([
      { action: 'credential.add', target, outcome: 'begun', details: { provider: 'interactly', weight: 3 } },
    ]);
    expect((await ask('DELETE', `/admin/credentials/${id}`)).body).toEqual({ id, object: 'credential', removed: true });
    expect((await ask('DELETE', `/admin/credentials/${id}`)).status).toBe(404);
    expect((await audited(1))[0]).toMatchObject({ action: 'credential.remove', target });
  });

  it.each([
    [{ ...wanted, provider: 'nobody' }, 404, 'provider'],
    [{ ...wanted, secret: `${SECRET} with a space` }, 400, 'secret'],
    [{ ...wanted, secret: SECRET.repeat(300) }, 400, 'secret'],
    [{ ...wanted, secret: 7 }, 400, 'secret'],
    [{ ...wanted, weight: 0 }, 400, 'weight'],
    [{ ...wanted, purpose: 'webhook' }, 400, 'weight'],
    [{ ...wanted, purpose: 'other' }, 400, 'purpose'],
    [{ ...wanted, label: '' }, 400, 'label'],
    [{ ...wanted, [SECRET.slice(0, 20)]: 1 }, 400, SECRET.slice(0, 20)],
  ])('refuses what is wrong, naming the field and showing no secret: %#', async (body, status, param) => {
    const before = (await ask('GET', '/admin/credentials')).body.data.length;
    const refused = await ask('POST', '/admin/credentials', body);
    expect([refused.status, refused.body.error.param]).toEqual([status, param]);
    expect((await ask('GET', '/admin/credentials')).body.data).toHaveLength(before);
  });

  it('asks a vendor what it says to them, the simulated one too', async () => {
    const { status, body } = await ask('POST', '/admin/credentials/verify', { provider: 'b3os' });
    expect([status, body.object, body.provider]).toEqual([200, 'credential_verdicts', 'b3os']);
    expect(body.data).toMatchObject([{ verdict: 'good', state: 'usable' }]);
    expect((await audited(1))[0]).toMatchObject({
      action: 'credential.verify',
      target: { type: 'provider', id: 'b3os' },
    });
    expect((await ask('POST', '/admin/credentials/verify', { provider: 'nobody' })).status).toBe(404);
    const none = await ask('POST', '/admin/credentials/verify', { provider: 'bare' });
    expect([none.status, none.body.error.code]).toEqual([503, 'no_credential']);
    expect((await audited(2)).map(({ outcome, action }) => [action, outcome])).toEqual([
      ['credential.verify', 'failed'],
      ['credential.verify', 'begun'],
    ]);
  });
});

describe('/admin/keys', () => {
  const limits = { requests_per_minute: 60, concurrent_runs: null, runs_per_day: 9 };
  const wanted = {
    name: 'made here',
    allowed_providers: ['ai-tutor'],
    origins: ['https://app.example.com'],
    limits,
    expires_at: '2099-01-01T00:00:00Z',
  };

  it('makes one that works, shown once, with the secret of its webhooks', async () => {
    const made = await ask('POST', '/admin/keys', wanted);
    expect([made.status, made.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const { id, key, webhook_secret, ...shown } = made.body;
    expect(webhook_secret).toMatch(/^whsec_/);
    expect(shown).toMatchObject({ ...wanted, role: 'runs', status: 'active', expires_at: '2099-01-01T00:00:00.000Z' });
    const me = await fetch(`${gateway.url()}/providers`, { headers: { authorization: `Bearer ${key}` } });
    expect((await me.json()) as object).toMatchObject({ data: [{ name: 'ai-tutor' }] });
    const listed = await ask('GET', '/admin/keys', undefined, keys.viewer);
    expect(listed.body.data.map(({ id: one }: { id: string }) => one)).toContain(id);
    expect(JSON.stringify(listed.body)).not.toMatch(/rgk_|whsec_|hash/);
    const [entry] = await audited(1);
    expect(entry).toMatchObject({ action: 'key.create', target: { type: 'key', id }, details: { name: 'made here' } });
    expect(JSON.stringify(entry)).not.toMatch(/rgk_|whsec_/);
  });

  it.each([
    [{}, 'name'],
    [{ name: 'a\nb' }, 'name'],
    [{ name: 'n', role: 'root' }, 'role'],
    [{ name: 'n', allowed_workflows: ['a b'] }, 'allowed_workflows'],
    [{ name: 'n', allowed_providers: ['/'] }, 'allowed_providers'],
    [{ name: 'n', limits: { requests_per_minute: 0 } }, 'limits.requests_per_minute'],
    [{ name: 'n', limits: { rpm: 1 } }, 'limits.rpm'],
    [{ name: 'n', expires_at: 'tomorrow' }, 'expires_at'],
    [{ name: 'n', expires_at: '2001-01-01T00:00:00Z' }, 'expires_at'],
    [{ name: 'n', origins: ['not an origin'] }, 'origins'],
    [{ name: 'n', lineage: 'x' }, 'lineage'],
    // By its offset it is a moment of the year 10000, which cannot be shown.
    [{ name: 'n', expires_at: '9999-12-31T23:59:59-01:00' }, 'expires_at'],
  ])('refuses %j', async (body, param) => {
    const refused = await ask('POST', '/admin/keys', body);
    expect([refused.status, refused.body.error.param]).toEqual([400, param]);
  });

  it('rotates one: the successor has its rights, the old one its time', async () => {
    const { body: old } = await ask('POST', '/admin/keys', { name: 'old', allowed_providers: ['b3os'] });
    const { status, body } = await ask('POST', `/admin/keys/${old.id}/rotate`, { overlap_s: 60 });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      name: 'old',
      allowed_providers: ['b3os'],
      replaces: { id: old.id, status: 'active' },
    });
    expect(body.key).toMatch(/^rgk_/);
    const left = Date.parse(body.replaces.expires_at) - Date.now();
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
    expect((await audited(1))[0]).toMatchObject({
      action: 'key.rotate',
      target: { id: old.id },
      details: { successor: body.id, overlap_s: 60 },
    });
    // Without a body: a day.
    expect((await ask('POST', `/admin/keys/${body.id}/rotate`)).status).toBe(201);
    expect((await ask('POST', `/admin/keys/${old.id}/rotate`, { overlap_s: -1 })).status).toBe(400);
    expect((await ask('POST', '/admin/keys/nobody/rotate', {})).status).toBe(404);
  });

  it('rotates one that lasts as long as a time can be written: its successor ends with it', async () => {
    const expires = { name: 'for ages', expires_at: '9999-12-31T23:59:59.999Z' };
    const { body: old } = await ask('POST', '/admin/keys', expires);
    await wait(2);
    const { status, body } = await ask('POST', `/admin/keys/${old.id}/rotate`, {});
    expect([status, body.expires_at]).toEqual([201, expires.expires_at]);
    expect((await audited(1))[0]).toMatchObject({ action: 'key.rotate', details: { expires_at: expires.expires_at } });
  });

  it('gives a key one successor, however many are asked for at once', async () => {
    const { body: old } = await ask('POST', '/admin/keys', { name: 'hurried' });
    const answers = await Promise.all([1, 2, 3].map(() => ask('POST', `/admin/keys/${old.id}/rotate`, {})));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 400, 400]);
    const refused = answers.find(({ status }) => status === 400);
    expect(refused?.body.error.message).toContain('already replaced');
    const { body } = await ask('GET', '/admin/keys');
    expect(body.data.filter(({ name }: { name: string }) => name === 'hurried')).toHaveLength(2);
  });

  it('revokes one, for good', async () => {
    const { body: made } = await ask('POST', '/admin/keys', { name: 'short-lived' });
    const revoked = await ask('DELETE', `/admin/keys/${made.id}`);
    expect(revoked.body).toMatchObject({ id: made.id, status: 'revoked' });
    expect((await ask('POST', `/admin/keys/${made.id}/rotate`, {})).status).toBe(404);
    expect((await ask('DELETE', '/admin/keys/nobody')).status).toBe(404);
    expect((await audited(1))[0]).toMatchObject({ action: 'key.revoke', target: { id: made.id }, outcome: 'begun' });
    await wait(1_000);
    const refused = await fetch(`${gateway.url()}/runs`, { headers: { authorization: `Bearer ${made.key}` } });
    expect(refused.status).toBe(401);
  });
});

describe('/admin/runs', () => {
  const begin = async (workflow: string) => {
    const website = await gateway.client('runs', 'of the website');
    return website.begin({ provider: 'ai-tutor', workflow: gateway.workflowId('ai-tutor', workflow), tags: ['here'] });
  };

  it('shows everyone’s, with whose they are, and their events', async () => {
    const id = await begin('runs-0');
    const { body } = await ask('GET', '/admin/runs?tag=here&include=inputs', undefined, keys.viewer);
    expect(body.data[0]).toMatchObject({ id, key: { name: 'of the website' }, inputs: {} });
    const one = await ask('GET', `/admin/runs/${id}`, undefined, keys.viewer);
    expect(one.body).toMatchObject({ id, key: { name: 'of the website' } });
    const events = await ask('GET', `/admin/runs/${id}/events?limit=1`, undefined, keys.viewer);
    expect(events.body).toMatchObject({ data: [{ seq: 1, type: 'run.created' }], next_cursor: '1' });
    for (const path of ['', '/events']) {
      expect((await ask('GET', `/admin/runs/${NOBODYS_RUN}${path}`)).status).toBe(404);
      expect((await ask('GET', `/admin/runs/x${path}`)).status).toBe(404);
    }
    const token = await ask('GET', `/admin/runs/${id}/events?token=rgt_x`);
    expect([token.status, token.body.error.param]).toEqual([400, 'token']);
  });

  it('cancels anyone’s, and says who did, at both doors', async () => {
    const id = await begin('runs-60000');
    const cancelled = await ask('POST', `/admin/runs/${id}/cancel`);
    expect(cancelled.body).toMatchObject({ id, status: 'cancelled', key: { name: 'of the website' } });
    const target = { type: 'run', id };
    expect((await audited(1))[0]).toMatchObject({ action: 'run.cancel', target, actor: { type: 'key' } });
    expect((await ask('POST', `/admin/runs/${NOBODYS_RUN}/cancel`)).status).toBe(404);
    expect((await audited(1))[0]).toMatchObject({ outcome: 'failed', details: { error: 'not_found' } });
    const admin = { authorization: `Bearer ${keys.admin}` };
    const deleted = await fetch(`${gateway.url()}/runs/${id}`, { method: 'DELETE', headers: admin });
    expect(deleted.status).toBe(200);
    expect((await audited(1))[0]).toMatchObject({ action: 'run.delete', target });
    const other = await begin('runs-60000');
    expect((await fetch(`${gateway.url()}/runs/${other}/cancel`, { method: 'POST', headers: admin })).status).toBe(200);
    expect((await audited(1))[0]).toMatchObject({ action: 'run.cancel', target: { id: other } });
  });

  it('says nothing of what callers do with their own', async () => {
    const before = (await audited(1))[0];
    const id = await gateway.begin({ provider: 'ai-tutor', workflow: gateway.workflowId('ai-tutor', 'runs-60000') });
    expect((await gateway.cancel(id)).status).toBe(200);
    expect((await gateway.delete(`/runs/${id}`)).status).toBe(200);
    expect((await audited(1))[0]).toEqual(before);
  });

  it('records what became of one whose outcome nobody knew', async () => {
    const id = await begin('reset-before-headers');
    await gateway.command(async ({ store }) => {
      while ((await store.runs.peek(id as never))?.status !== 'failed') await wait(20);
    });
    const finding = { as: 'succeeded', note: 'seen in the vendor’s log' };
    const resolved = await ask('POST', `/admin/runs/${id}/resolve`, finding);
    expect(resolved.body).toMatchObject({ id, status: 'failed', resolution: { ...finding, by: 'admin API' } });
    const [entry] = await audited(1);
    expect(entry).toMatchObject({ action: 'run.resolve', target: { type: 'run', id }, details: finding });
    expect((await ask('POST', `/admin/runs/${id}/resolve`, finding)).status).toBe(422);
    expect((await ask('POST', `/admin/runs/${id}/resolve`, { ...finding, force: true })).status).toBe(200);
    for (const note of ['', 'two\nlines', 'x'.repeat(1_001)]) {
      const refused = await ask('POST', `/admin/runs/${id}/resolve`, { ...finding, note });
      expect([refused.status, refused.body.error.param]).toEqual([400, 'note']);
    }
    expect((await ask('POST', `/admin/runs/${NOBODYS_RUN}/resolve`, finding)).status).toBe(404);
  });
});

describe('/admin/usage', () => {
  it.each(['provider', 'workflow', 'key'])('adds up by %s', async (group) => {
    await gateway.post('/runs', { workflow: 'tutor' });
    const { body } = await ask('GET', `/admin/usage?group_by=${group}`, undefined, keys.viewer);
    const [first] = body.data;
    expect(body).toMatchObject({ object: 'usage', group_by: group });
    expect(first.runs).toBeGreaterThan(0);
    const { succeeded, failed, cancelled, timed_out, unfinished } = first;
    expect(succeeded + failed + cancelled + timed_out + unfinished).toBe(first.runs);
    expect(first.name === null).toBe(group !== 'key');
    expect(Date.parse(body.to) - Date.parse(body.from)).toBe(86_400_000);
  });

  it.each([
    ['', 'group_by'],
    ['?group_by=subject', 'group_by'],
    ['?group_by=key&from=2026-01-01T00:00:00Z&to=2026-02-02T00:00:00Z', 'from'],
    ['?group_by=key&from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z', 'from'],
    ['?group_by=key&from=yesterday', 'from'],
  ])('refuses %s', async (query, param) => {
    const refused = await ask('GET', `/admin/usage${query}`);
    expect([refused.status, refused.body.error.param]).toEqual([400, param]);
  });
});

describe('/admin/audit', () => {
  it('says who, from where and by which request, before the deed', async () => {
    await ask('POST', '/admin/keys', { name: 'to be seen' });
    const [entry] = await audited(1);
    expect(entry).toMatchObject({
      actor: {
        type: 'key',
        id: keys.admin.split('_')[1],
        from: '127.0.0.1',
        request_id: expect.stringMatching(/^req_/),
      },
    });
  });

  it('tells of the configuration that the server began with', async () => {
    const { body } = await ask('GET', '/admin/audit?after=0&limit=200');
    const loaded = body.data.find(({ action }: { action: string }) => action === 'config.load');
    expect(loaded).toMatchObject({
      actor: { type: 'server', id: null },
      target: { type: 'setting' },
      details: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), workflows: { count: 1, names: ['tutor'] } },
    });
    expect(JSON.stringify(loaded)).not.toContain('wf_1');
  });

  it('tells of a webhook secret that its holder rotated', async () => {
    const headers = { authorization: `Bearer ${keys.runs}` };
    expect((await fetch(`${gateway.url()}/me/webhook-secret`, { method: 'POST', headers })).status).toBe(200);
    const [entry] = await audited(1);
    expect(entry).toMatchObject({ action: 'webhook_secret.rotate', target: { id: keys.runs.split('_')[1] } });
    expect(JSON.stringify(entry)).not.toContain('whsec_');
  });

  it('tells of everything that an admin may do at either listener, before it is done', async () => {
    const bodies: Record<string, object> = {
      '/admin/credentials': { provider: 'interactly', secret: SECRET },
      '/admin/credentials/verify': { provider: 'b3os' },
      '/admin/keys': { name: 'audited' },
    };
    const listeners: [string, RouteEntry[]][] = [
      [gateway.url(), buildRunsApp(runsAppParts().parts).routeTable],
      [gateway.adminUrl(), buildAdminApp(idleAdminParts()).routeTable],
    ];
    const { body: begun } = await gateway.post('/runs', { workflow: 'tutor' }, { prefer: 'respond-async' });
    const { body: victim } = await ask('POST', '/admin/keys', { name: 'audited' });
    const added = { provider: 'interactly', secret: SECRET };
    const { body: credential } = await ask('POST', '/admin/credentials', added);
    const idOf = (path: string) => {
      if (path.startsWith('/admin/keys')) return victim.id as string;
      return path.startsWith('/admin/credentials') ? (credential.id as string) : (begun.id as string);
    };
    let walked = 0;
    for (const [url, routes] of listeners) {
      for (const { method, url: path, roles } of routes) {
        if (['GET', 'HEAD'].includes(method) || !Array.isArray(roles) || !roles.includes('admin')) continue;
        // Takes only a run whose outcome nobody knows; told of where that is tested.
        if (path === '/admin/runs/:id/resolve') continue;
        const [before] = await audited(1);
        const body = JSON.stringify(bodies[path] ?? {});
        const headers = { authorization: `Bearer ${keys.admin}`, 'content-type': 'application/json' };
        const target = url + path.replace(':id', idOf(path)).replace(':delivery_id', 'dlv_1');
        const { status } = await fetch(target, { method, headers, body });
        expect([400, 401, 403, 500], `${method} ${path}: ${status}`).not.toContain(status);
        expect((await audited(1))[0], `${method} ${path}`).not.toEqual(before);
        walked++;
      }
    }
    expect(walked).toBeGreaterThan(10);
  });

  it('does not grow by secrets that are refused, however many ask for one at once', async () => {
    const headers = { authorization: `Bearer ${await gateway.key('runs', 'greedy')}` };
    const rotate = async () => (await fetch(`${gateway.url()}/me/webhook-secret`, { method: 'POST', headers })).status;
    const [begun] = await audited(1);
    const answers = await Promise.all(Array.from({ length: 40 }, rotate));
    for (let times = 0; times < 8; times++) answers.push(await rotate());
    expect(new Set(answers)).toEqual(new Set([200, 429]));
    expect(answers.filter((status) => status === 200)).toHaveLength(8);
    const { body } = await ask('GET', `/admin/audit?after=${begun?.seq}`);
    expect(body.data.map(({ action }: { action: string }) => action)).toEqual(Array(8).fill('webhook_secret.rotate'));
    const [before] = await audited(1);
    for (let times = 0; times < 10; times++) expect(await rotate()).toBe(429);
    expect((await audited(1))[0]).toEqual(before);
  });

  it('is read in pages, in both directions', async () => {
    const seqsOf = ({ body }: Answered): number[] => body.data.map(({ seq }: { seq: number }) => seq);
    const first = await ask('GET', '/admin/audit?after=0&limit=2', undefined, keys.viewer);
    expect([seqsOf(first), first.body.next_cursor]).toEqual([[1, 2], '2']);
    expect(seqsOf(await ask('GET', '/admin/audit?after=2&limit=2'))).toEqual([3, 4]);
    const newest = await ask('GET', '/admin/audit?limit=1');
    const [last = 0] = seqsOf(newest);
    expect(newest.body.next_cursor).toBe(String(last));
    expect(seqsOf(await ask('GET', `/admin/audit?before=${last}&limit=2`))).toEqual([last - 1, last - 2]);
    expect((await ask('GET', `/admin/audit?after=${last}`)).body).toEqual({ data: [], next_cursor: null });
    expect((await ask('GET', '/admin/audit?before=2')).body.next_cursor).toBeNull();
  });

  it.each(['after=1&before=2', 'after=x', 'before=-1', 'limit=0', 'limit=201', 'actor=me'])(
    'refuses %s',
    async (query) => {
      expect((await ask('GET', `/admin/audit?${query}`)).status).toBe(400);
    },
  );
});

describe('a key that is revoked, and a token', () => {
  const walked: { url: () => string; routes: RouteEntry[] }[] = [
    { url: () => gateway.url(), routes: buildRunsApp(runsAppParts().parts).routeTable },
    { url: () => gateway.adminUrl(), routes: buildAdminApp(idleAdminParts()).routeTable },
  ];

  it('may use no route of either listener, and changes nothing', async () => {
    const { body: admin } = await ask('POST', '/admin/keys', { name: 'gone', role: 'admin' });
    const { body: runs } = await ask('POST', '/admin/keys', { name: 'gone too' });
    for (const { id } of [admin, runs]) await ask('DELETE', `/admin/keys/${id}`);
    await wait(1_000);
    const [before] = await audited(1);
    let asked = 0;
    for (const { url, routes } of walked) {
      for (const { method, url: path, roles } of routes.filter((route) => route.roles !== 'anyone')) {
        const target = url() + path.replace(':id', NOBODYS_RUN).replace(':delivery_id', 'dlv_1');
        for (const { key } of [admin, runs]) {
          const answer = await fetch(target, { method, headers: { authorization: `Bearer ${key}` } });
          expect([method, path, roles, answer.status]).toEqual([method, path, roles, 401]);
          asked++;
        }
      }
    }
    expect(asked).toBeGreaterThan(80);
    expect((await audited(1))[0]).toEqual(before);
  });

  it('is refused by the admin API with 403', async () => {
    const headers = { authorization: `Bearer ${keys.runs}`, 'content-type': 'application/json' };
    const wanted = JSON.stringify({ workflows: ['tutor'], origin: 'https://app.example.com', max_runs: 1, ttl_s: 60 });
    const { body: holder } = await ask('POST', '/admin/keys', {
      name: 'of tokens',
      allowed_workflows: ['tutor'],
      origins: ['https://app.example.com'],
    });
    headers.authorization = `Bearer ${holder.key}`;
    const issued = await fetch(`${gateway.url()}/tokens`, { method: 'POST', headers, body: wanted });
    const { token } = (await issued.json()) as { token: string };
    expect(token).toMatch(/^rgt_/);
    const answer = await fetch(`${gateway.adminUrl()}/admin/keys`, {
      headers: { authorization: `Bearer ${token}`, origin: 'https://app.example.com' },
    });
    expect(answer.status).toBe(403);
  });
});

describe('the admin listener', () => {
  it('had nothing to complain of', () => {
    expect(gateway.complaints).toEqual([]);
  });

  it('warns where others can reach it, and not on loopback', async () => {
    const reach = (warnings: TestGateway['warnings']) => warnings.filter(({ message }) => /admin API/.test(message));
    expect(reach(gateway.warnings)).toEqual([]);
    const open = await startTestGateway({ environment: { RUNGATE_ADMIN_HOST: '0.0.0.0' } });
    expect(reach(open.warnings)).toMatchObject([{ fields: { address: '0.0.0.0' } }]);
    await open.stop();
  });
});

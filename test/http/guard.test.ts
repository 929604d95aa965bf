import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Role } from '../../src/core/caller.ts';
import { ROLES } from '../../src/core/caller.ts';
import type { App, RouteEntry } from '../../src/http/app.ts';
import { buildAdminApp } from '../../src/http/build-admin-app.ts';
import { buildRunsApp } from '../../src/http/build-runs-app.ts';
import { createApp } from '../../src/http/create-app.ts';
import { idleAdminParts, startAdminApp } from '../support/admin-app.ts';
import { recording } from '../support/recording.ts';
import { runsAppParts, startRunsApp, type Envelope } from '../support/runs-app.ts';

/** What the app that is walked was asked to do, beyond telling who somebody is. */
const done: string[] = [];

interface Listener {
  name: string;
  /** Of a throwaway app: `it.each` needs them before any server runs. */
  routes: RouteEntry[];
  /** HEAD, which comes with each GET, included. */
  count: number;
  /** What anyone may use, HEAD apart. */
  open: string[];
  /** Keys that prove somebody who has no business at this listener at all. */
  strangers: string[];
  start: () => Promise<{ url: string; app: App } & AsyncDisposable>;
}

const READ_BY_ANYONE = ['/docs', '/docs/errors', '/healthz', '/openapi.json', '/readyz'].map((path) => `GET ${path}`);

const LISTENERS: Listener[] = [
  {
    name: 'the runs API',
    routes: buildRunsApp(runsAppParts().parts).routeTable,
    count: 33,
    open: [...READ_BY_ANYONE, 'POST /inbound/:provider'],
    strangers: [],
    start: () => {
      const { parts } = runsAppParts();
      return startRunsApp({
        runs: recording(parts.runs, 'runs', done),
        tokens: recording(parts.tokens, 'tokens', done),
        webhooks: recording(parts.webhooks, 'webhooks', done),
        audited: async (deed, work) => {
          done.push(deed.action);
          return work();
        },
      });
    },
  },
  {
    name: 'the admin API',
    routes: buildAdminApp(idleAdminParts()).routeTable,
    count: 34,
    open: READ_BY_ANYONE,
    strangers: ['runs', 'token', 'admin-token'],
    start: () =>
      startAdminApp((services) => ({
        ...services,
        keys: recording(services.keys, 'keys', done),
        credentials: recording(services.credentials, 'credentials', done),
        runs: recording(services.runs, 'runs', done),
        auditLog: recording(services.auditLog, 'auditLog', done),
        resolveRun: (...given) => {
          done.push('resolveRun');
          return services.resolveRun(...given);
        },
        usage: (asked) => {
          done.push('usage');
          return services.usage(asked);
        },
      })),
  },
];

function pathOf({ url }: RouteEntry): string {
  return url.replace(':id', 'run_01k9zq00000000000000000000').replace(':delivery_id', 'dlv_1');
}

function mayUse({ roles }: RouteEntry, role: Role): boolean {
  return roles !== undefined && roles !== 'anyone' && roles.includes(role);
}

describe.each(LISTENERS)('the guard of $name', ({ routes, count, open, strangers, start }) => {
  const guarded = routes.filter(({ roles }) => roles !== 'anyone');
  let running: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    running = await start();
  });
  afterAll(() => running[Symbol.asyncDispose]());
  beforeEach(() => {
    done.length = 0;
  });

  /** With a body that many routes would take, so that nothing but the guard keeps them from their work. */
  async function call(route: RouteEntry, key?: string, more: Record<string, string> = {}) {
    const body = route.method === 'POST' || route.method === 'DELETE' ? '{}' : null;
    const headers = {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      ...more,
    };
    return fetch(running.url + pathOf(route), { method: route.method, headers, body });
  }

  it('walks every route there is', () => {
    expect(routes).toHaveLength(count);
    expect(running.app.routeTable.map(({ method, url }) => `${method} ${url}`)).toEqual(
      routes.map(({ method, url }) => `${method} ${url}`),
    );
    expect(guarded.length).toBeGreaterThan(15);
    for (const { method, url, roles } of routes)
      expect(roles, `${method} ${url} declares who may use it`).toBeDefined();
  });

  it('leaves only the probes and the documents open to anyone, and signed messages', () => {
    const found = routes.filter(({ roles }) => roles === 'anyone').map(({ method, url }) => `${method} ${url}`);
    const heads = open.filter((route) => route.startsWith('GET ')).map((route) => route.replace('GET', 'HEAD'));
    expect(found.toSorted()).toEqual([...open, ...heads].toSorted());
  });

  it.each(guarded)('refuses $method $url without a key that is good, and does nothing', async (route) => {
    for (const key of [undefined, 'wrong', 'revoked', `rgk_${'0'.repeat(16)}_${'A'.repeat(43)}_00000000`]) {
      const answer = await call(route, key);
      expect([key, answer.status]).toEqual([key, 401]);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    }
    expect(done).toEqual([]);
  });

  it.each(guarded)('lets exactly the declared roles use $method $url', async (route) => {
    for (const key of [...ROLES.filter((role) => !mayUse(route, role)), ...strangers]) {
      const answer = await call(route, key);
      expect([key, answer.status]).toEqual([key, 403]);
    }
    expect(done).toEqual([]);
    for (const role of ROLES.filter((one) => mayUse(route, one))) {
      const { status } = await call(route, role);
      expect([401, 403, 500], `${role}: ${status}`).not.toContain(status);
    }
  });

  it.each(guarded.filter(({ method }) => method === 'GET'))('tells OPTIONS $url nothing', async (route) => {
    for (const key of [undefined, 'wrong', 'admin']) {
      const answer = await call({ ...route, method: 'OPTIONS' }, key, { origin: 'https://elsewhere.example' });
      expect([key, answer.status]).toEqual([key, 405]);
      expect(answer.headers.get('allow')).toContain('GET');
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
    expect(done).toEqual([]);
  });
});

describe('the guard', () => {
  it('refuses a route that declares nothing, to every role', async () => {
    const app = createApp(runsAppParts().parts, { countsRequests: false });
    app.get('/forgotten', () => 'open to all');
    for (const role of ROLES) {
      const answer = await app.inject({ url: '/forgotten', headers: { authorization: `Bearer ${role}` } });
      expect(answer.statusCode).toBe(403);
      expect(answer.json<Envelope>().error.code).toBe('forbidden');
    }
    await app.close();
  });

  it('fails closed when keys cannot be checked', async () => {
    await using broken = await startRunsApp({ authenticate: () => Promise.reject(new Error('disk')) });
    const answer = await fetch(`${broken.url}/runs`, { headers: { authorization: 'Bearer runs' } });
    expect(answer.status).toBe(500);
    const authenticate = () => Promise.reject(new Error('disk'));
    await using admin = await startAdminApp(undefined, { authenticate });
    expect((await fetch(`${admin.url}/admin/keys`, { headers: { authorization: 'Bearer admin' } })).status).toBe(500);
  });

  it('asks for a key before it looks at the form', async () => {
    await using running = await startRunsApp();
    const answer = await fetch(`${running.url}/runs`, { method: 'POST', body: '{', headers: { accept: 'text/html' } });
    expect(answer.status).toBe(401);
  });
});

describe('a drain', () => {
  it('refuses what would begin something and goes on answering reads', async () => {
    await using running = await startRunsApp();
    running.state.unready = 'draining';
    const headers = { authorization: 'Bearer runs', 'content-type': 'application/json' };
    const refused = await fetch(`${running.url}/runs`, { method: 'POST', headers, body: '{"workflow":"w"}' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('connection')).toBe('close');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(((await refused.json()) as Envelope).error).toMatchObject({ code: 'shutting_down', retryable: true });
    expect(running.runs.created).toHaveLength(0);
    expect((await fetch(`${running.url}/runs`, { headers })).status).toBe(200);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RouteEntry } from '../../src/http/app.ts';
import { buildRunsApp } from '../../src/http/build-runs-app.ts';
import { createApp } from '../../src/http/create-app.ts';
import { ROLES } from '../../src/core/caller.ts';
import { runsAppParts, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

const ROUTES_WITH_HEAD = 30;

/** Routes of a throwaway app: `it.each` needs them before any server runs. */
const routes: RouteEntry[] = buildRunsApp(runsAppParts().parts).routeTable;
const guarded = routes.filter(({ roles }) => roles !== 'anyone');

function pathOf({ url }: RouteEntry): string {
  return url.replace(':id', 'run_01k9zq00000000000000000000');
}

describe('the guard', () => {
  let running: RunningApp;
  beforeAll(async () => {
    running = await startRunsApp();
  });
  afterAll(() => running[Symbol.asyncDispose]());

  async function call(route: RouteEntry, key?: string) {
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
    return fetch(running.url + pathOf(route), { method: route.method, headers });
  }

  it('walks every route there is', () => {
    expect(routes).toHaveLength(ROUTES_WITH_HEAD);
    expect(guarded.length).toBeGreaterThan(0);
    for (const { method, url, roles } of routes)
      expect(roles, `${method} ${url} declares who may use it`).toBeDefined();
  });

  it.each(guarded)('refuses $method $url without a key', async (route) => {
    const answer = await call(route);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect((await call(route, 'wrong')).status).toBe(401);
  });

  it.each(guarded)('lets exactly the declared roles use $method $url', async (route) => {
    for (const role of ROLES) {
      const { status } = await call(route, role);
      const allowed = route.roles !== undefined && route.roles.includes(role);
      expect(status === 403, `${role}: ${status}`).toBe(!allowed);
      expect(status).not.toBe(401);
    }
  });

  it('leaves only the probes, the documents and signed messages open to anyone', () => {
    const open = routes.filter(({ roles }) => roles === 'anyone').map(({ method, url }) => `${method} ${url}`);
    const paths = ['/docs', '/docs/errors', '/healthz', '/openapi.json', '/readyz'];
    const read = ['GET', 'HEAD'].flatMap((method) => paths.map((path) => `${method} ${path}`));
    expect(open.sort()).toEqual([...read, 'POST /inbound/:provider']);
  });

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
    await using broken = await startRunsApp({ verifyKey: () => Promise.reject(new Error('disk')) });
    const answer = await fetch(`${broken.url}/runs`, { headers: { authorization: 'Bearer runs' } });
    expect(answer.status).toBe(500);
  });

  it('asks for a key before it looks at the form', async () => {
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

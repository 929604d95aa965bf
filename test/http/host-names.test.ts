import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildAdminApp } from '../../src/http/build-admin-app.ts';
import { idleAdminParts, startAdminApp, type RunningAdminApp } from '../support/admin-app.ts';
import { sendRaw, startRunsApp, type Envelope } from '../support/runs-app.ts';

let admin: RunningAdminApp;
beforeAll(async () => void (admin = await startAdminApp(undefined, { hostNames: ['admin.example.com'] })));
afterAll(() => admin[Symbol.asyncDispose]());

const request = (path: string, host: string, method = 'GET') =>
  `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer admin\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;

describe('the admin listener on loopback', () => {
  it.each([
    'localhost',
    'LOCALHOST:8081',
    '127.0.0.1',
    '127.0.0.1:8081',
    '[::1]',
    '[::1]:8081',
    '192.0.2.7:80',
    'admin.example.com',
    'Admin.Example.com:443',
  ])('answers to %s', async (host) => {
    expect((await sendRaw(admin.port, request('/admin/keys', host))).status).toBe(200);
  });

  it.each([
    'evil.example',
    'evil.example:8081',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'admin.example.com.evil.example',
    'x@localhost',
    '127.0.0.1:80:80',
    '[evil.example]',
    '::1',
    '',
  ])('refuses a page that comes by the name %s', async (host) => {
    const { status, body } = await sendRaw(admin.port, request('/admin/keys', host));
    const { error } = JSON.parse(body) as Envelope;
    expect([status, error.code, error.param]).toEqual([403, 'forbidden', 'Host']);
    expect(error.message).toContain('RUNGATE_ADMIN_HOSTS');
  });

  it('does so on every route, known or not, and before it looks at a key', async () => {
    const routes = buildAdminApp(idleAdminParts()).routeTable.filter(({ method }) => method !== 'HEAD');
    expect(routes.length).toBeGreaterThan(15);
    for (const { method, url } of [...routes, { method: 'GET', url: '/nothing' }]) {
      const bytes = request(url.replace(':id', 'x'), 'evil.example', method).replace('Bearer admin', 'Bearer wrong');
      expect([method, url, (await sendRaw(admin.port, bytes)).status]).toEqual([method, url, 403]);
    }
  });
});

describe('other listeners', () => {
  it('answer to any name: the runs API, which a proxy on this machine may pass on to', async () => {
    await using runs = await startRunsApp();
    expect((await sendRaw(runs.port, request('/runs', 'runs.example.com'))).status).toBe(200);
  });

  it('and the admin API where it is bound beyond loopback', async () => {
    const app = buildAdminApp(idleAdminParts());
    await app.listen({ host: '0.0.0.0', port: 0 });
    const address = app.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect((await sendRaw(port, request('/healthz', 'admin.internal'))).status).toBe(200);
    await app.close();
  });
});

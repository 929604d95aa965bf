import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLoadShedder } from '../../src/http/plugins/load-shedder.ts';
import { buildAdminApp } from '../../src/http/build-admin-app.ts';
import { systemClock } from '../../src/core/clock.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { endedWell } from '../support/memory-runs.ts';
import { openEvents } from '../support/event-client.ts';
import { runsAppParts, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';
import { sendRaw } from '../support/runs-app.ts';

const OURS = 'https://app.example.com';
const THEIRS = 'https://evil.example';
const EXPOSED =
  'x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, Retry-After, RateLimit-Policy, RateLimit, x-request-id, traceparent, tracestate, server-timing, Location, Preference-Applied, Idempotent-Replayed';
const ALLOWED =
  'Authorization, Content-Type, Idempotency-Key, Prefer, Last-Event-ID, traceparent, tracestate, x-request-id';
const servesOrigin = async (origin: string) => origin === OURS;

let app: RunningApp;
beforeEach(async () => void (app = await startRunsApp({ servesOrigin })));
afterEach(() => app[Symbol.asyncDispose]());

interface Asked {
  method?: string;
  origin?: string;
  headers?: Record<string, string>;
  body?: string;
}

async function send(path: string, { method = 'GET', origin, headers = {}, body }: Asked = {}) {
  // Raw, because `fetch` keeps `Origin` to itself.
  const all: Record<string, string> = {
    host: 'x',
    connection: 'close',
    ...(origin === undefined ? {} : { origin }),
    ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const answer = await sendRaw(app.port, `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`);
  return { ...answer, headers: headersOf(answer.head) };
}

function headersOf(head: string): Record<string, string> {
  const pairs = head.split('\r\n').slice(1);
  return Object.fromEntries(pairs.map((line) => [line.split(':')[0]?.toLowerCase(), line.replace(/^[^:]*: ?/, '')]));
}

function corsOf(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('access-control-')));
}

const preflight = (path: string, origin: string, method = 'POST') =>
  send(path, { method: 'OPTIONS', origin, headers: { 'access-control-request-method': method } });
const READABLE = { 'access-control-allow-origin': OURS, 'access-control-expose-headers': EXPOSED };
const KEY = { authorization: 'Bearer runs' };
const JSON_KEY = { ...KEY, 'content-type': 'application/json' };

describe('a preflight', () => {
  it('is answered for every route there is, with its methods and exactly the contract’s headers', async () => {
    const paths = [...new Set(app.app.routeTable.map(({ url }) => url))];
    expect(paths.length).toBeGreaterThan(15);
    for (const path of paths) {
      const methods = app.app.routeTable.filter(({ url }) => url === path).map(({ method }) => method);
      const answer = await preflight(path.replaceAll(/:[a-z_]+/g, 'x'), OURS);
      expect([path, answer.status, answer.body]).toEqual([path, 204, '']);
      expect(corsOf(answer.headers)).toEqual({
        'access-control-allow-origin': OURS,
        'access-control-allow-methods': methods.toSorted().join(', '),
        'access-control-allow-headers': ALLOWED,
        'access-control-max-age': '600',
      });
      expect(answer.headers['vary']).toBe('Origin');
    }
  });

  it('needs no key, and asks for none', async () => {
    await using closed = await startRunsApp({
      servesOrigin,
      authenticate: () => expect.unreachable('a preflight shows no key'),
    });
    const head = `OPTIONS /runs HTTP/1.1\r\nHost: x\r\nOrigin: ${OURS}\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n`;
    expect((await sendRaw(closed.port, head)).status).toBe(204);
  });

  it.each([THEIRS, 'null', '*', `${OURS}/`, `${OURS}.evil.example`, `${OURS}, ${THEIRS}`, ''])(
    'from %j is 403 without a word to its browser',
    async (origin) => {
      const answer = await preflight('/runs', origin);
      expect([answer.status, corsOf(answer.headers), answer.headers['vary']]).toEqual([403, {}, 'Origin']);
      expect((JSON.parse(answer.body) as Envelope).error).toMatchObject({ code: 'forbidden', param: 'Origin' });
      expect(answer.headers['x-request-id']).toMatch(/^req_/);
    },
  );

  it('for a path that is not there is 404, and OPTIONS that is none is no method', async () => {
    expect((await preflight('/nowhere', OURS)).status).toBe(404);
    expect((await send('/runs', { method: 'OPTIONS', origin: OURS })).status).toBe(405);
    expect((await send('/runs', { method: 'OPTIONS' })).status).toBe(405);
  });

  it('is refused where the store cannot say', async () => {
    await using broken = await startRunsApp({
      servesOrigin: () => Promise.reject(new GatewayError('store_unavailable')),
    });
    const head = `OPTIONS /runs HTTP/1.1\r\nHost: x\r\nOrigin: ${OURS}\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n`;
    const answer = await sendRaw(broken.port, head);
    expect(answer.status).toBe(503);
    expect(answer.head.toLowerCase()).not.toContain('access-control');
  });
});

describe('an answer', () => {
  it('may be read by pages of an origin that is served', async () => {
    app.runs.behave(endedWell(Date.now()));
    const body = JSON.stringify({ workflow: 'w' });
    const answer = await send('/runs', { method: 'POST', origin: OURS, headers: JSON_KEY, body });
    expect([answer.status, corsOf(answer.headers), answer.headers['vary']]).toEqual([200, READABLE, 'Origin']);
    expect(answer.head.match(/access-control-allow-origin/gi)).toHaveLength(1);
  });

  it.each([
    [401, '/runs', {}],
    [403, '/runs', { method: 'POST', headers: { ...JSON_KEY, authorization: 'Bearer viewer' }, body: '{}' }],
    [404, '/nowhere', {}],
    [404, '/runs/run_01k9zq00000000000000000000', { headers: KEY }],
    [405, '/runs', { method: 'DELETE', headers: KEY }],
    [406, '/runs', { headers: { ...KEY, accept: 'text/html' } }],
    [400, '/runs?what=1', { headers: KEY }],
    [400, '/runs', { method: 'POST', headers: JSON_KEY, body: '{' }],
    [400, '/runs/%zz', { headers: KEY }],
    [415, '/runs', { method: 'POST', headers: { ...KEY, 'content-type': 'text/plain' }, body: 'x' }],
  ] as const)(
    'that is an error (%i %s) may be read too, and by no other origin',
    async (status, path, asked: Asked) => {
      const ours = await send(path, { ...asked, origin: OURS });
      expect([ours.status, corsOf(ours.headers), ours.headers['vary']]).toEqual([status, READABLE, 'Origin']);
      for (const origin of [THEIRS, 'null']) {
        const theirs = await send(path, { ...asked, origin });
        expect([theirs.status, corsOf(theirs.headers)]).toEqual([status, {}]);
      }
      const nobodys = await send(path, asked);
      expect([nobodys.status, corsOf(nobodys.headers), nobodys.headers['vary']]).toEqual([status, {}, undefined]);
    },
  );

  it('that is a stream has it in its head', async () => {
    const client = openEvents(app.port, {
      method: 'POST',
      path: '/runs',
      headers: { origin: OURS },
      body: { workflow: 'w' },
    });
    await client.until(() => client.text().includes('run.started'));
    expect(client.header('content-type')).toContain('text/event-stream');
    expect(client.header('access-control-allow-origin')).toBe(OURS);
    expect(client.header('access-control-expose-headers')).toBe(EXPOSED);
    client.leave();
  });

  it('exposes whatever rate limit the vendor told', async () => {
    app.runs.behave(endedWell(Date.now()), { 'x-ratelimit-limit': '5', 'x-ratelimit-limit-tokens': '100' });
    const body = JSON.stringify({ workflow: 'w' });
    const answer = await send('/runs', { method: 'POST', origin: OURS, headers: JSON_KEY, body });
    expect(answer.headers).toMatchObject({
      'x-ratelimit-limit-tokens': '100',
      'access-control-expose-headers': `${EXPOSED}, x-ratelimit-limit-tokens`,
    });
    const theirs = await send('/runs', { method: 'POST', origin: THEIRS, headers: JSON_KEY, body });
    expect(corsOf(theirs.headers)).toEqual({});
  });

  it('that refuses a new run before anything is read may be read', async () => {
    const shedder = createLoadShedder({
      clock: systemClock,
      random: { float: () => 0.5 },
      log: { warn: () => undefined },
      signals: { storeQueue: () => 0, memoryShare: () => 0 },
      limits: { delayMs: 60_000, atOnceMax: 1, storeQueueMax: 1, memoryShareMax: 1 },
      onShed: () => undefined,
    });
    shedder.admit('somebody');
    await using full = await startRunsApp({ servesOrigin, shedder });
    const head = (origin: string) =>
      `POST /runs HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`;
    const ours = await sendRaw(full.port, head(OURS));
    expect([ours.status, corsOf(headersOf(ours.head))]).toEqual([503, READABLE]);
    const theirs = await sendRaw(full.port, head(THEIRS));
    expect([theirs.status, corsOf(headersOf(theirs.head))]).toEqual([503, {}]);
  });
});

describe('the admin listener', () => {
  it('answers no page of another origin', async () => {
    const { parts } = runsAppParts();
    const admin = buildAdminApp({ ...parts, servesOrigin } as unknown as Parameters<typeof buildAdminApp>[0]);
    for (const method of ['GET', 'OPTIONS'] as const) {
      const headers = { origin: OURS, 'access-control-request-method': 'GET', authorization: 'Bearer admin' };
      const answer = await admin.inject({ method, url: '/healthz', headers });
      expect(answer.statusCode).toBe(method === 'GET' ? 200 : 405);
      expect(corsOf(answer.headers as Record<string, string>)).toEqual({});
    }
    await admin.close();
  });
});

import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import type { ShownIdentity } from '../../src/access/authenticate.ts';
import { presentedBy } from '../../src/http/presented.ts';
import { endedWell } from '../support/memory-runs.ts';
import { memoryTracing } from '../support/memory-tracing.ts';
import { callerWith, sendRaw, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

/** Where it turns up, something told it. */
const MARKER = 'aMarkerNobodyMayTell';
const TOKEN = `rgt_${MARKER}.payload.signature`;

let presented: ShownIdentity[];
let observed: unknown[];
let spans: ReturnType<typeof memoryTracing>;
let app: RunningApp;
let path: string;
beforeEach(async () => {
  presented = [];
  observed = [];
  spans = memoryTracing(() => ({
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: null,
  }));
  app = await startRunsApp({
    tracing: spans,
    observeRequest: (sample) => void observed.push(sample),
    async authenticate(shown) {
      presented.push(shown);
      if (shown.token === TOKEN || shown.authorization === 'Bearer runs') return callerWith('runs');
      throw new GatewayError('unauthorized');
    },
  });
  app.runs.behave(endedWell(Date.now()));
  const headers = { authorization: 'Bearer runs', 'content-type': 'application/json' };
  const begun = await fetch(`${app.url}/runs`, { method: 'POST', headers, body: '{"workflow":"w"}' });
  path = `/runs/${((await begun.json()) as { id: string }).id}/events`;
  presented = [];
});
afterEach(() => app[Symbol.asyncDispose]());

const get = (target: string, headers: Record<string, string> = {}) =>
  fetch(app.url + target, { headers: { connection: 'close', ...headers } });
const errorOf = async (answer: Response) => ((await answer.json()) as Envelope).error;

describe('a token in the query', () => {
  it('is who asks, where a run’s events are asked for', async () => {
    const streamed = await get(`${path}?token=${TOKEN}&after=1`, { accept: 'text/event-stream' });
    expect([streamed.status, await streamed.text()]).toEqual([200, expect.stringContaining('event: run.succeeded')]);
    const page = await get(`${path}?token=${TOKEN}&limit=1`);
    expect(((await page.json()) as { data: unknown[] }).data).toHaveLength(1);
    const shown = { authorization: undefined, token: TOKEN, origin: null };
    expect(presented).toEqual([shown, shown]);
  });

  it('is nowhere to be found once it was shown', () => {
    const query = { token: TOKEN, after: '1' };
    const request = {
      headers: {},
      raw: { rawHeaders: [] },
      query,
      routeOptions: { config: { takesQueryToken: true } },
    };
    expect(presentedBy(request as never)).toMatchObject({ token: TOKEN });
    expect(query).toEqual({ after: '1' });
  });

  it('is refused in words where it is a key, before anybody looks at it', async () => {
    for (const value of ['rgk_0123456789abcdef_x_y', 'Bearer', '', 'RGT_x', MARKER]) {
      const answer = await get(`${path}?token=${value}`);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toContain('Bearer');
      expect((await errorOf(answer)).message).toMatch(/browser token.*never goes into a URL/);
    }
    expect(presented).toEqual([]);
  });

  it('is refused beside a header, and beside another', async () => {
    for (const [target, headers] of [
      [`${path}?token=${TOKEN}`, { authorization: 'Bearer runs' }],
      [`${path}?token=${TOKEN}&token=${TOKEN}`, {}],
    ] as const) {
      const answer = await get(target, headers);
      expect([answer.status, await errorOf(answer)]).toEqual([400, expect.objectContaining({ param: 'token' })]);
    }
    expect(presented).toEqual([]);
  });

  it('counts on no other route', async () => {
    for (const { url, method, roles } of app.app.routeTable) {
      if (roles === 'anyone' || url.endsWith('/events')) continue;
      const target = `${url.replaceAll(/:[a-z_]+/g, 'run_01k9zq00000000000000000000')}?token=${TOKEN}`;
      const answer = await fetch(app.url + target, { method });
      expect([method, url, answer.status]).toEqual([method, url, 401]);
      const known = await fetch(app.url + target, { method, headers: { authorization: 'Bearer runs' } });
      expect([method, url, known.status]).not.toEqual([method, url, 200]);
    }
    expect(presented.every(({ token }) => token === null)).toBe(true);
  });

  it('is told by no answer, log, span or metric, whatever goes wrong', async () => {
    const targets = [
      `${path}?token=${TOKEN}`,
      `${path}?token=${TOKEN}x`,
      `${path}?token=${TOKEN}&after=x`,
      `${path}?token=${TOKEN}&after=99`,
      `${path}?token=${TOKEN}&what=1`,
      `${path}?token=${TOKEN}&token=${TOKEN}`,
      `${path}?token=${MARKER}`,
      `/runs/run_01k9zq00000000000000000000/events?token=${TOKEN}`,
      `/runs/x/events?token=${TOKEN}`,
      `/runs/%zz/events?token=${TOKEN}`,
      `/runs/${'x'.repeat(5_000)}/events?token=${TOKEN}`,
      `/nowhere?token=${TOKEN}`,
      `/runs?token=${TOKEN}`,
      `/healthz?token=${TOKEN}`,
      `//${path}?token=${TOKEN}`,
    ];
    let told = '';
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'BREW']) {
      for (const target of targets) {
        for (const version of ['1.1', '1.0', '9.9']) {
          const lines = `Host: x\r\nConnection: close\r\nOrigin: https://app.example.com\r\nAccess-Control-Request-Method: GET\r\n`;
          const answer = await sendRaw(app.port, `${method} ${target} HTTP/${version}\r\n${lines}\r\n`);
          told += answer.head + answer.body;
        }
      }
    }
    // Broken in ways that Node answers, and something that nobody foresaw.
    const broken = [
      `GET ${path}?token=${TOKEN} HTTP/1.1\r\nbad header\r\n\r\n`,
      `GET ${path}?token=${TOKEN} HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
      `GET ${path}?token=${TOKEN} HTTP/1.1\r\nHost: x\r\nExpect: nothing\r\nConnection: close\r\n\r\n`,
      `CONNECT ${path}?token=${TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET ${path}?token=${TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n`,
    ];
    for (const bytes of broken) {
      const answer = await sendRaw(app.port, bytes);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      told += answer.head + answer.body;
    }
    app.runs.failNext('events', new Error('a bug'));
    expect((await get(`${path}?token=${TOKEN}`)).status).toBe(500);
    const closed = once(app.app.server, 'close');
    app.app.server.close();
    app.app.server.closeIdleConnections();
    await closed;
    const seen = [told, ...app.log, ...spans.spans, ...observed].map((one) => inspectAll(one)).join('\n');
    expect(app.log.length).toBeGreaterThan(100);
    expect(spans.spans.length).toBeGreaterThan(10);
    expect(told).toContain('HTTP/1.1 4');
    expect(seen).not.toContain(MARKER);
  });
});

/** Errors have fields that JSON leaves out. */
function inspectAll(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part instanceof Error ? { message: part.message, stack: part.stack, cause: part.cause } : part,
  );
}

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RequestSample } from '../../src/http/app.ts';
import { createLoadShedder, type LoadShedder } from '../../src/http/plugins/load-shedder.ts';
import { systemClock } from '../../src/core/clock.ts';
import { endedWell } from '../support/memory-runs.ts';
import { sendRaw, startRunsApp, authenticateTestKey, type Envelope, type RunningApp } from '../support/runs-app.ts';

const BODY = JSON.stringify({ provider: 'draft-and-goal', workflow: 'wf_1', inputs: {} });
const HEADERS = { authorization: 'Bearer runs', 'content-type': 'application/json' };

let shedder: LoadShedder;
let samples: RequestSample[];
let verified: number;
let app: RunningApp;
beforeEach(async () => {
  shedder = createLoadShedder({
    clock: systemClock,
    random: { float: () => 0.5 },
    log: { warn: () => undefined },
    signals: { storeQueue: () => 0, memoryShare: () => 0 },
    limits: { delayMs: 60_000, atOnceMax: 1, storeQueueMax: 1, memoryShareMax: 1 },
    onShed: () => undefined,
  });
  samples = [];
  verified = 0;
  app = await startRunsApp({
    shedder,
    observeRequest: (sample) => void samples.push(sample),
    authenticate: (presented) => {
      verified += 1;
      return authenticateTestKey(presented);
    },
  });
  app.runs.behave(endedWell(Date.now()));
});
afterEach(() => app[Symbol.asyncDispose]());

const begin = (path = '/runs', headers: Record<string, string> = {}) =>
  fetch(app.url + path, { method: 'POST', headers: { ...HEADERS, ...headers }, body: BODY });

describe('an overloaded gateway', () => {
  it('refuses a new run in the contract’s envelope, with a time to come back', async () => {
    shedder.admit('key');
    const response = await begin('/runs', { 'x-request-id': 'mine' });
    const { error } = (await response.json()) as Envelope;

    expect(response.status).toBe(503);
    expect(error).toMatchObject({
      code: 'overloaded',
      status: 503,
      source: 'gateway',
      retryable: true,
      retry_after_s: 3,
      request_id: 'mine',
      docs_url: '/docs/errors#overloaded',
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'retry-after': '3',
      'x-request-id': 'mine',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-type': 'application/json; charset=utf-8',
      'server-timing': expect.stringContaining('gateway;dur='),
    });
    expect(samples).toEqual([{ route: '/runs', method: 'POST', status: 503, ms: 0 }]);
  });

  it('looks at neither key nor body, and begins nothing', async () => {
    shedder.admit('key');
    const head =
      'POST /runs?x=1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{';
    const { status } = await sendRaw(app.port, head);

    expect(status).toBe(503);
    expect(verified).toBe(0);
    expect(app.runs.created).toHaveLength(0);
  });

  it('keeps the connection, with the refused body read away', async () => {
    shedder.admit('key');
    const once = `POST /runs HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
    const { head, body } = await sendRaw(
      app.port,
      once + once + 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      {
        over: true,
      },
    );
    const text = head + body;

    expect(text.match(/HTTP\/1\.1 503/g)).toHaveLength(2);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
  });

  it('refuses one that came by in another spelling', async () => {
    shedder.admit('key');
    const response = await begin('/%72uns');

    expect(response.status).toBe(503);
    expect(((await response.json()) as Envelope).error).toMatchObject({ code: 'overloaded', retry_after_s: 3 });
    expect(app.runs.created).toHaveLength(0);
  });

  it('serves everything else', async () => {
    const leave = shedder.admit('key');
    leave();
    const { id } = (await (await begin()).json()) as { id: string };
    shedder.admit('key');
    const get = (path: string) => fetch(app.url + path, { headers: HEADERS });

    expect((await get(`/runs/${id}`)).status).toBe(200);
    expect((await get(`/runs/${id}/events`)).status).toBe(200);
    expect((await get('/runs')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(200);
    expect((await fetch(`${app.url}/runs/${id}/cancel`, { method: 'POST', headers: HEADERS, body: '{}' })).status).toBe(
      200,
    );
  });

  it('makes room as soon as a run is written, or refused for another reason', async () => {
    expect((await begin()).status).toBe(200);
    app.runs.failNext('create', new Error('a fault'));
    expect((await begin()).status).toBe(500);
    expect((await begin()).status).toBe(200);
  });

  it('says that it is about to stop, where it is', async () => {
    shedder.admit('key');
    app.state.unready = 'draining';

    expect(((await (await begin()).json()) as Envelope).error.code).toBe('shutting_down');
  });
});

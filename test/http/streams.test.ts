import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunId } from '../../src/core/ids.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { RenderedEvent } from '../../src/runs/render-event.ts';
import { dataLines, eventsOf, eventually, lastIdOf, openEvents, type EventClient } from '../support/event-client.ts';
import { endedWell, refused } from '../support/memory-runs.ts';
import { startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

const UNKNOWN = 'run_01k9zq00000000000000000000';
const SLOW_MS = 30_000;

let app: RunningApp;
let clients: EventClient[];
beforeEach(async () => {
  app = await startRunsApp();
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.leave();
  await app[Symbol.asyncDispose]();
});

function open(request: Parameters<typeof openEvents>[1]): EventClient {
  const client = openEvents(app.port, request);
  clients.push(client);
  return client;
}

function follow(id: string, headers: Record<string, string> = {}, query = ''): EventClient {
  return open({ path: `/runs/${id}/events${query}`, headers });
}

function begin(headers: Record<string, string> = {}, fields: object = {}): EventClient {
  return open({ method: 'POST', path: '/runs', headers, body: { workflow: 'w', inputs: { a: 1 }, ...fields } });
}

/** A run that goes on, begun by the key `runs`; it has two events. */
async function beginRun(): Promise<RunId> {
  const client = begin({ accept: 'application/json', prefer: 'respond-async' });
  await client.whole();
  return (JSON.parse(client.text()) as { id: RunId }).id;
}

async function beginEndedRun(deltas: number): Promise<RunId> {
  const id = await beginRun();
  for (let i = 0; i < deltas; i++) app.runs.emit(id, 'run.output.delta', { text: `part ${i}: ü\n"€` });
  app.runs.change(id, endedWell(Date.now()));
  return id;
}

async function read(client: EventClient) {
  await client.whole();
  return { status: client.status(), text: client.text() };
}

async function expectRefusal(client: EventClient, status: number, expected: object) {
  await client.whole();
  expect([client.status(), client.text()]).toEqual([status, expect.stringContaining('"error"')]);
  expect((JSON.parse(client.text()) as Envelope).error).toMatchObject({ ...expected, status });
}

const seqs = (client: EventClient) => eventsOf(client.text()).map(({ seq }) => seq);
const types = (client: EventClient) => eventsOf(client.text()).map(({ type }) => type);

describe('a stream of events', () => {
  it('tells what was and what comes, and ends after the end', async () => {
    const id = await beginRun();
    const client = follow(id);
    await client.until(() => seqs(client).length === 2);
    app.runs.emit(id, 'run.output.delta', { text: 'Once' });
    await client.until(() => seqs(client).length === 3);
    app.runs.change(id, { status: 'waiting', waiting: { for: 'input', hint: null } });
    await client.until(() => types(client).at(-1) === 'run.waiting');
    expect(client.isWhole()).toBe(false);
    app.runs.change(id, endedWell(Date.now()));
    await client.whole();
    expect(seqs(client)).toEqual([1, 2, 3, 4, 5]);
    const end = eventsOf(client.text()).at(-1) as RenderedEvent & { data: { run: object } };
    expect(end).toMatchObject({ run_id: id, type: 'run.succeeded', data: { run: { id, status: 'succeeded' } } });
    const run = (await (
      await fetch(`${app.url}/runs/${id}`, { headers: { authorization: 'Bearer runs' } })
    ).json()) as object;
    expect(end.data.run).toEqual(run);
  });

  it('has a head that no proxy holds back or keeps, at once', async () => {
    const id = await beginRun();
    const client = follow(id, { 'x-request-id': 'mine', 'last-event-id': '2' });
    await client.until(() => client.text() !== '');
    expect(client.status()).toBe(200);
    expect(client.text()).toMatch(/^: .*\n\n$/);
    expect(client.header('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(client.header('server-timing')).toMatch(/^upstream;dur=0\.0, gateway;dur=[\d.]+$/);
    expect(client.header('cache-control')).toBe('no-cache, no-store, no-transform');
    expect(client.header('x-accel-buffering')).toBe('no');
    expect(client.header('x-request-id')).toBe('mine');
    expect(client.header('x-content-type-options')).toBe('nosniff');
    expect(client.header('content-length')).toBeNull();
  });

  it('cut behind any event and resumed has the same bytes of data', async () => {
    const id = await beginEndedRun(9);
    const { text } = await read(follow(id));
    const whole = dataLines(text);
    expect(whole).toHaveLength(12);
    for (let cut = 0; cut < whole.length; cut++) {
      for (const resume of [follow(id, { 'last-event-id': String(cut) }), follow(id, {}, `?after=${cut}`)]) {
        const rest = await read(resume);
        expect([...whole.slice(0, cut), ...dataLines(rest.text)]).toEqual(whole);
      }
    }
  });

  it('cut at any byte and resumed has the same bytes of data', async () => {
    const id = await beginEndedRun(5);
    const { text } = await read(follow(id));
    const bytes = Buffer.from(text);
    for (let offset = 0; offset < bytes.length; offset += 23) {
      const seen = bytes.subarray(0, offset).toString();
      const last = lastIdOf(seen);
      const rest = await read(follow(id, last === null ? {} : { 'last-event-id': last }));
      if (rest.status === 204) expect(dataLines(seen)).toEqual(dataLines(text));
      else expect([...dataLines(seen), ...dataLines(rest.text)]).toEqual(dataLines(text));
    }
  });

  it('cut while the run goes on and resumed misses nothing', async () => {
    const id = await beginRun();
    let told = '';
    for (let i = 0; i < 20; i++) {
      const last = lastIdOf(told);
      const client = follow(id, last === null ? {} : { 'last-event-id': last });
      app.runs.emit(id, 'run.output.delta', { text: String(i) });
      await client.until(() => eventsOf(client.text()).some(({ data }) => JSON.stringify(data) === `{"text":"${i}"}`));
      client.leave();
      told += client.text();
    }
    expect(eventsOf(told).map(({ seq }) => seq)).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));
  });

  it('is 204 behind the end, and ends a reconnecting', async () => {
    const id = await beginEndedRun(1);
    const client = follow(id, { 'last-event-id': '4' });
    await client.whole();
    expect([client.status(), client.text()]).toEqual([204, '']);
    expect(client.header('content-type')).toBeNull();
  });

  it('has a comment every 15 s', async () => {
    const client = follow(await beginRun());
    await client.until(() => seqs(client).length === 2);
    for (const comments of [1, 2]) {
      app.clock.offsetMs += 15_000;
      app.runs.log.sweep();
      await client.until(() => client.text().split(': keep-alive\n\n').length === comments + 1);
    }
    expect(seqs(client)).toEqual([1, 2]);
  });

  it('leaves the connection to the next request', async () => {
    const id = await beginRun();
    const next = `GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n`;
    const client = open({ path: `/runs/${id}/events`, more: next });
    await client.until(() => seqs(client).length === 2);
    app.runs.change(id, endedWell(Date.now()));
    await client.until(() => client.rest().includes('"status":"ok"'));
    expect(client.rest()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('notices at once that its client has left, and has its line in the log then', async () => {
    const client = follow(await beginRun());
    await client.until(() => seqs(client).length === 2);
    expect(app.runs.log.feed.size()).toBe(1);
    app.clock.offsetMs += 60_000;
    client.leave();
    await eventually(() => app.runs.log.feed.size() === 0);
    const lines = () => app.log.filter(({ fields }) => fields['route'] === '/runs/:id/events');
    await eventually(() => lines().length > 0);
    expect(lines()).toHaveLength(1);
    expect(lines()[0]?.fields['ms']).toBeGreaterThanOrEqual(60_000);
  });

  it('is counted as answered when it has ended', async () => {
    await read(follow(await beginEndedRun(0)));
    const line = () => app.log.find(({ fields }) => fields['route'] === '/runs/:id/events');
    await eventually(() => line() !== undefined);
    expect(line()?.fields).toMatchObject({ status: 200, method: 'GET' });
  });

  it('is of one’s own runs only; those who see everyone’s see these too', async () => {
    const id = await beginEndedRun(0);
    await expectRefusal(follow(id, { authorization: 'Bearer other' }), 404, { code: 'not_found' });
    await expectRefusal(follow(UNKNOWN), 404, { code: 'not_found' });
    await expectRefusal(follow('nonsense'), 404, { code: 'not_found' });
    const own = await read(follow(id));
    const viewed = await read(follow(id, { authorization: 'Bearer viewer' }));
    expect([viewed.status, viewed.text]).toEqual([200, own.text]);
  });

  it('that cannot begin is refused with the envelope', async () => {
    const id = await beginRun();
    app.runs.failNext('follow', new GatewayError('store_unavailable'));
    await expectRefusal(follow(id), 503, { code: 'store_unavailable' });
  });

  it.each([1, 0])('asked for its head only has no body, with %d events to tell', async (deltas) => {
    const id = await beginEndedRun(deltas);
    const client = open({
      method: 'HEAD',
      path: `/runs/${id}/events`,
      more: 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n',
    });
    await client.until(() => client.status() !== 0);
    expect([client.status(), client.header('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    expect(client.header('x-accel-buffering')).toBe('no');
    expect(app.runs.log.feed.size()).toBe(0);
    const raw = open({ method: 'HEAD', path: `/runs/${id}/events`, headers: { connection: 'close' } });
    const answer: Buffer[] = [];
    raw.socket.on('data', (bytes: Buffer) => void answer.push(bytes));
    await raw.closed;
    expect(Buffer.concat(answer).toString()).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
  });
});

describe('where a stream begins', () => {
  it.each(['-1', '1e3', '1.5', '0x1', 'abc', '9'.repeat(16), '', '1, 2'])(
    'Last-Event-ID %j is refused',
    async (value) => {
      const id = await beginRun();
      const expected = { code: 'invalid_request', param: 'Last-Event-ID' };
      await expectRefusal(follow(id, { 'last-event-id': value }), 400, expected);
    },
  );

  it.each(['-1', '1e3', '1.5', 'abc', '9'.repeat(16), ''])('?after=%s is refused', async (value) => {
    await expectRefusal(follow(await beginRun(), {}, `?after=${value}`), 400, {
      code: 'invalid_request',
      param: 'after',
    });
  });

  it.each(['text/event-stream', 'application/json'])('a number beyond the log is refused for %s', async (accept) => {
    const id = await beginRun();
    await expectRefusal(follow(id, { accept, 'last-event-id': '3' }), 400, { param: 'Last-Event-ID' });
    await expectRefusal(follow(id, { accept }, '?after=3'), 400, { param: 'after' });
    const ended = await beginEndedRun(0);
    await expectRefusal(follow(ended, { accept, 'last-event-id': '999999999999999' }), 400, { param: 'Last-Event-ID' });
  });

  it('is what the header says, not the query', async () => {
    const id = await beginEndedRun(2);
    const client = follow(id, { 'last-event-id': '3' }, '?after=1');
    await client.whole();
    expect(seqs(client)).toEqual([4, 5]);
    await expectRefusal(follow(id, { 'last-event-id': 'x' }, '?after=1'), 400, { param: 'Last-Event-ID' });
  });

  it.each(['?limit=0', '?limit=1001', '?limit=x', '?cursor=a', '?after=1&after=2'])('%s is refused', async (query) => {
    const id = await beginRun();
    await expectRefusal(follow(id, {}, query), 400, { code: 'invalid_request' });
  });
});

describe('what Accept asks for', () => {
  it.each([
    ['*/*', 'json'],
    ['application/json', 'json'],
    ['', 'json'],
    ['text/html, */*;q=0.1', 'json'],
    ['application/json, text/event-stream', 'json'],
    ['text/event-stream, application/json', 'json'],
    ['text/event-stream;q=0.9, application/json', 'json'],
    ['text/event-stream;q=0.9, application/json;q=0.8', 'stream'],
    ['text/event-stream, */*;q=0.5', 'stream'],
    ['text/event-stream, */*', 'stream'],
    ['TEXT/Event-Stream', 'stream'],
    ['text/*', 'stream'],
    ['application/json;q=0, */*', 'stream'],
    ['text/html', null],
    ['text/event-stream;q=0', null],
    ['application/json;q=0, text/event-stream;q=0, */*;q=1', null],
    ['constructor', null],
  ])('%j gets %s', async (accept, expected) => {
    const client = follow(await beginEndedRun(0), { accept });
    if (expected === null) return expectRefusal(client, 406, { code: 'not_acceptable' });
    await client.whole();
    const type = expected === 'json' ? 'application/json; charset=utf-8' : 'text/event-stream; charset=utf-8';
    expect([client.status(), client.header('content-type')]).toEqual([200, type]);
  });

  it('gets no stream where there is none', async () => {
    const id = await beginRun();
    for (const path of [`/runs/${id}`, '/runs', '/providers']) {
      await expectRefusal(open({ path }), 406, { code: 'not_acceptable' });
    }
  });
});

describe('a page of events', () => {
  interface Page {
    data: RenderedEvent[];
    next_cursor: string | null;
  }
  const page = async (id: string, query = '') => {
    const { status, text } = await read(follow(id, { accept: 'application/json' }, query));
    return { status, ...(JSON.parse(text) as Page) };
  };

  it('has the events as a stream tells them, to the byte', async () => {
    const id = await beginEndedRun(3);
    const stream = await read(follow(id));
    const { text } = await read(follow(id, { accept: 'application/json' }));
    expect(text).toBe(`{"data":[${dataLines(stream.text).join(',')}],"next_cursor":null}`);
  });

  it('says where the next one begins', async () => {
    const id = await beginEndedRun(4);
    const first = await page(id, '?limit=3');
    expect([first.data.map(({ seq }) => seq), first.next_cursor]).toEqual([[1, 2, 3], '3']);
    const second = await page(id, `?limit=4&after=${first.next_cursor}`);
    expect([second.data.map(({ seq }) => seq), second.next_cursor]).toEqual([[4, 5, 6, 7], null]);
    expect(await page(id, '?after=7')).toEqual({ status: 200, data: [], next_cursor: null });
  });

  it('has 100 events, at most 1,000', async () => {
    const id = await beginEndedRun(1_200);
    expect((await page(id)).data).toHaveLength(100);
    expect((await page(id, '?limit=1000')).data).toHaveLength(1_000);
  });

  it('of a run that goes on has no end', async () => {
    const id = await beginRun();
    expect((await page(id)).data.map(({ type }) => type)).toEqual(['run.created', 'run.started']);
    expect(await page(id, '?after=2')).toEqual({ status: 200, data: [], next_cursor: null });
  });
});

describe('a client that reads slowly', () => {
  it('costs a bounded buffer, is cut off with a comment, and comes back', async () => {
    const id = await beginRun();
    const client = follow(id);
    await client.until(() => seqs(client).length === 2);
    client.socket.pause();
    const text = 'x'.repeat(100_000);
    for (let i = 0; i < 200; i++) {
      app.runs.emit(id, 'run.output.delta', { text });
      await new Promise((resolve) => setImmediate(resolve));
    }
    app.clock.offsetMs += SLOW_MS;
    app.runs.log.sweep();
    expect(app.runs.log.feed.size()).toBe(0);
    client.socket.resume();
    await client.whole();
    const told = seqs(client);
    expect(told.length).toBeLessThan(150);
    expect(client.text()).toMatch(new RegExp(`\\n\\n: too slow; come back with Last-Event-ID: ${told.at(-1)}\\n\\n$`));
    app.runs.change(id, endedWell(Date.now()));
    const rest = follow(id, { 'last-event-id': lastIdOf(client.text()) ?? '' });
    await rest.whole();
    expect([...told, ...seqs(rest)]).toEqual(Array.from({ length: 203 }, (_, i) => i + 1));
  });

  it('and catches up in time loses nothing', async () => {
    const id = await beginRun();
    const client = follow(id);
    await client.until(() => seqs(client).length === 2);
    client.socket.pause();
    for (let i = 0; i < 200; i++) {
      app.runs.emit(id, 'run.output.delta', { text: 'x'.repeat(100_000) });
      await new Promise((resolve) => setImmediate(resolve));
    }
    app.runs.change(id, endedWell(Date.now()));
    client.socket.resume();
    await client.whole();
    expect(seqs(client)).toEqual(Array.from({ length: 203 }, (_, i) => i + 1));
  });
});

describe('a drain', () => {
  it('closes streams with a comment and the time to come back after', async () => {
    const id = await beginRun();
    const client = follow(id);
    await client.until(() => seqs(client).length === 2);
    app.state.unready = 'draining';
    app.runs.log.feed.releaseAll();
    await client.whole();
    expect(client.text()).toMatch(/\n\n: [^\n]*Last-Event-ID: 2\nretry: \d+\n\n$/);
    const again = follow(id, { 'last-event-id': '1' });
    await again.whole();
    expect(seqs(again)).toEqual([2]);
    expect(again.text()).toMatch(/\nretry: \d+\n\n$/);
  });

  it('begins no run', async () => {
    app.state.unready = 'draining';
    await expectRefusal(begin(), 503, { code: 'shutting_down' });
  });
});

describe('POST /runs as a stream', () => {
  it('tells the events of the run as they happen, whatever Prefer says', async () => {
    app.runs.behave({}, { 'x-ratelimit-limit': '100' });
    const client = begin({ prefer: 'respond-async' });
    await client.until(() => seqs(client).length === 2);
    expect(client.status()).toBe(200);
    expect(client.header('content-type')).toBe('text/event-stream; charset=utf-8');
    const [{ run_id: id } = { run_id: '' }] = eventsOf(client.text());
    expect(client.header('location')).toBe(`/runs/${id}`);
    expect(client.header('x-ratelimit-limit')).toBeNull();
    expect(client.header('preference-applied')).toBeNull();
    expect(client.header('idempotent-replayed')).toBeNull();
    expect(app.runs.created[0]?.context.listening).toBe(true);
    app.runs.emit(id as RunId, 'run.output.delta', { text: 'Once' });
    app.runs.change(id as RunId, endedWell(Date.now()));
    await client.whole();
    expect(types(client)).toEqual(['run.created', 'run.started', 'run.output.delta', 'run.succeeded']);
  });

  it('says that nobody listens where an answer is wanted', async () => {
    await beginRun();
    expect(app.runs.created[0]?.context.listening).toBe(false);
  });

  it('tells a refusal as the failure of the run', async () => {
    app.runs.behave(refused(Date.now(), 12));
    const client = begin();
    await client.whole();
    expect([client.status(), types(client).at(-1)]).toEqual([200, 'run.failed']);
    expect(client.header('retry-after')).toBeNull();
    const { data } = eventsOf(client.text()).at(-1) as { data: unknown } as { data: { run: { error: object } } };
    expect(data.run.error).toMatchObject({ code: 'upstream_rate_limited' });
  });

  it('refuses what is wrong before there is a run', async () => {
    await expectRefusal(begin({}, { timeout_s: 0 }), 400, { code: 'invalid_request', param: 'timeout_s' });
    await expectRefusal(begin({ authorization: 'Bearer viewer' }), 403, { code: 'forbidden' });
    app.runs.failNext('create', new GatewayError('unknown_workflow'));
    await expectRefusal(begin(), 404, { code: 'unknown_workflow' });
    expect(app.runs.created).toEqual([]);
  });

  it('joins a copy to the same events, from the first one on', async () => {
    const first = begin({ 'idempotency-key': 'k' });
    await first.until(() => seqs(first).length === 2);
    const id = eventsOf(first.text())[0]?.run_id as RunId;
    app.runs.emit(id, 'run.output.delta', { text: 'Once' });
    const copy = begin({ 'idempotency-key': 'k', 'last-event-id': '2' });
    await copy.until(() => seqs(copy).length === 3);
    expect(copy.header('idempotent-replayed')).toBe('true');
    expect(copy.header('location')).toBe(`/runs/${id}`);
    app.runs.change(id, endedWell(Date.now()));
    await Promise.all([first.whole(), copy.whole()]);
    expect(dataLines(copy.text())).toEqual(dataLines(first.text()));
    const late = begin({ 'idempotency-key': 'k' });
    await late.whole();
    expect(dataLines(late.text())).toEqual(dataLines(first.text()));
  });

  it('whose run is on disk but cannot be followed says where to look, and refuses nothing', async () => {
    app.runs.failNext('follow', new GatewayError('store_unavailable'));
    const client = begin();
    await client.whole();
    expect(client.status()).toBe(200);
    expect(client.text()).toContain(`come back to ${client.header('location')}/events`);
  });
});

describe('on_disconnect', () => {
  const cancel = { on_disconnect: 'cancel' };
  const held = { accept: 'application/json', prefer: 'wait=60' };
  const pass = (ms: number) => {
    app.clock.offsetMs += ms;
    app.runs.log.sweep();
  };
  /** Drops the call, and waits until the server has noticed. */
  async function drop(client: EventClient) {
    const lines = app.log.length;
    client.leave();
    await eventually(() => app.log.length > lines);
  }
  async function beginHeld(
    fields: object,
    headers: Record<string, string> = {},
  ): Promise<{ client: EventClient; id: RunId }> {
    const before = app.runs.holds.length;
    const client = begin({ ...held, ...headers }, fields);
    await eventually(() => app.runs.holds.length > before);
    return { client, id: app.runs.holds.at(-1)?.id as RunId };
  }
  async function beginStreamed(headers: Record<string, string> = {}): Promise<{ client: EventClient; id: RunId }> {
    const client = begin(headers, cancel);
    await client.until(() => seqs(client).length === 2);
    return { client, id: eventsOf(client.text())[0]?.run_id as RunId };
  }

  it.each([
    ['held', () => beginHeld(cancel)],
    ['streamed', () => beginStreamed()],
  ])('cancels a run whose %s call was dropped, after 5 s', async (_how, beginCall) => {
    const { client, id } = await beginCall();
    await drop(client);
    pass(4_900);
    expect(app.runs.unattended).toEqual([]);
    pass(100);
    expect(app.runs.unattended).toEqual([id]);
  });

  it('lets a run go on where nothing else was asked for', async () => {
    const { client } = await beginHeld({});
    await drop(client);
    pass(60_000);
    expect(app.runs.unattended).toEqual([]);
  });

  it('lets a run go on that was answered with 202', async () => {
    const key = { 'idempotency-key': 'k' };
    await begin({ accept: 'application/json', prefer: 'respond-async', ...key }, cancel).whole();
    const { client } = await beginHeld(cancel, key);
    await drop(client);
    const streamed = await beginStreamed(key);
    await drop(streamed.client);
    pass(60_000);
    expect(app.runs.unattended).toEqual([]);
  });

  it('lets a run go on while a copy waits, held or streamed', async () => {
    const key = { 'idempotency-key': 'k' };
    const { client } = await beginHeld(cancel, key);
    const copy = await beginStreamed(key);
    await drop(client);
    pass(60_000);
    expect(app.runs.unattended).toEqual([]);
    await drop(copy.client);
    pass(5_000);
    expect(app.runs.unattended).toEqual([copy.id]);
  });

  it('lets a run go on to which somebody comes back by its events, and whoever leaves them', async () => {
    const { client, id } = await beginStreamed();
    await drop(client);
    const reader = follow(id, { 'last-event-id': '2' });
    await reader.until(() => reader.status() === 200);
    pass(60_000);
    await drop(reader);
    pass(60_000);
    expect(app.runs.unattended).toEqual([]);
  });

  it('lets a run go on whose stream we have ended', async () => {
    const { client } = await beginStreamed();
    app.runs.log.feed.releaseAll();
    await client.whole();
    pass(60_000);
    expect(app.runs.unattended).toEqual([]);
  });
});

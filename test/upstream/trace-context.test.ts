import { describe, expect, it } from 'vitest';
import { memoryTracing } from '../support/memory-tracing.ts';
import {
  answerText,
  chunk,
  CHUNKED,
  echo,
  failureOf,
  httpServer,
  jsonOf,
  rawServer,
  readAll,
  testUpstream,
} from './support.ts';
import { onePeer } from './support-web-socket.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parent = 'b7ad6b7169203331';

async function sentWith(traceparent: string, tracestate: string | null) {
  const server = await httpServer(
    echo(({ headers }) => ({ parent: headers.traceparent ?? null, state: headers.tracestate ?? null })),
  );
  const answer = await testUpstream().call(server.origin, { trace: { traceparent, tracestate } });
  return jsonOf(answer) as { parent: string | null; state: string | null };
}

describe('the trace context', () => {
  it('goes on with a parent id of its own for each call', async () => {
    const first = await sentWith(`00-${traceId}-${parent}-01`, 'vendor=1,other=2');
    const second = await sentWith(`00-${traceId}-${parent}-00`, null);

    expect(first.parent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(second.parent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    expect(new Set([parent, first.parent?.slice(36, 52), second.parent?.slice(36, 52)]).size).toBe(3);
    expect([first.state, second.state]).toEqual(['vendor=1,other=2', null]);
  });

  it.each([
    '',
    'x',
    `01-${traceId}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${traceId}-${parent}-01\r\nx: y`,
  ])('is left out where it cannot be read: %j', async (traceparent) => {
    expect(await sentWith(traceparent, 'a=1')).toEqual({ parent: null, state: null });
  });

  it('leaves out a state that is too long or cannot be written', async () => {
    const traceparent = `00-${traceId}-${parent}-01`;
    for (const state of ['a'.repeat(513), 'a=1\r\nx-evil: 1']) {
      expect(await sentWith(traceparent, state)).toMatchObject({ state: null });
    }
  });

  it('sends none where there is none', async () => {
    const server = await httpServer(echo(({ headers }) => ({ names: Object.keys(headers) })));
    const answer = await testUpstream().call(server.origin);
    expect(jsonOf(answer)).not.toContain('traceparent');
  });
});

const OWN_SPAN = '00f067aa0ba902b7';
const trace = { traceparent: `00-${traceId}-${parent}-01`, tracestate: 'a=1' };
const about = { provider: 'ai-tutor', operation: 'start', runId: 'run_1' };

const ownTracing = () =>
  memoryTracing(({ parent: above }) => ({
    traceparent: `00-${traceId}-${OWN_SPAN}-01`,
    tracestate: above?.tracestate ?? null,
  }));

describe('a traced call', () => {
  it('has a span, which is what the vendor is told as parent', async () => {
    const tracing = ownTracing();
    const server = await httpServer(
      echo(({ headers }) => ({ parent: headers.traceparent ?? null, state: headers.tracestate ?? null })),
    );
    const answer = await testUpstream({ tracing }).call(server.origin, { trace, about, query: { q: 'a-marker' } });
    expect(jsonOf(answer)).toEqual({ parent: `00-${traceId}-${OWN_SPAN}-01`, state: 'a=1' });
    expect(tracing.spans).toEqual([
      {
        name: 'start ai-tutor',
        parent: trace,
        kind: 'client',
        attributes: {
          'http.request.method': 'POST',
          'rungate.origin': server.origin,
          'rungate.provider': 'ai-tutor',
          'rungate.operation': 'start',
          'rungate.run_id': 'run_1',
        },
        set: { 'http.response.status_code': 200 },
        ends: [null],
      },
    ]);
  });

  it('has none where its run has none', async () => {
    const tracing = ownTracing();
    const server = await httpServer(echo(({ headers }) => ({ parent: headers.traceparent ?? null })));
    expect(jsonOf(await testUpstream({ tracing }).call(server.origin))).toEqual({ parent: null });
    expect(tracing.spans).toEqual([]);
  });

  it.each([
    ['a refusal', answerText('{}', { status: '429 Too Many Requests' }), '429'],
    ['a broken body', 'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{', 'reset'],
  ])('ends its span once, with %s', async (_name, text, error) => {
    const tracing = ownTracing();
    const server = await rawServer(({ socket }) => void socket.end(text));
    await testUpstream({ tracing }).call(server.origin, { trace, about });
    expect(tracing.spans.map(({ ends }) => ends)).toEqual([[error]]);
  });

  it('ends its span where nothing was sent, and where it was given up', async () => {
    const tracing = ownTracing();
    const upstream = testUpstream({ tracing });
    await failureOf(upstream.call('http://127.0.0.1:1', { trace, about }));
    const server = await rawServer(() => undefined);
    await failureOf(upstream.call(server.origin, { trace, about, headersTimeoutMs: 20 }));
    await failureOf(upstream.call(server.origin, { trace, about }, AbortSignal.timeout(20)));
    expect(tracing.spans.map(({ ends }) => ends)).toEqual([['connect'], ['headers_timeout'], ['aborted']]);
  });

  it('lasts as long as its stream', async () => {
    const tracing = ownTracing();
    const server = await rawServer(({ socket }) => {
      socket.write(CHUNKED);
      socket.write(chunk('data: 1\n\n'));
    });
    const upstream = testUpstream({ tracing });
    const stream = await upstream.stream(server.origin, { trace, about, bodyTimeoutMs: 50 });
    expect(tracing.spans.map(({ ends }) => ends)).toEqual([[]]);
    await readAll(stream);
    expect(tracing.spans.map(({ ends }) => ends)).toEqual([['body_timeout']]);
  });

  it.each([
    [1000, null],
    [1011, 'reset'],
  ])('lasts as long as its WebSocket, and ends with its code (%d)', async (code, error) => {
    const tracing = ownTracing();
    const { server, peer, closed } = await onePeer();
    const opening = testUpstream({ tracing }).stream(server.origin, { via: 'websocket', body: {}, trace, about });
    const vendor = await peer;
    expect(vendor.request.headers.traceparent).toBe(`00-${traceId}-${OWN_SPAN}-01`);
    const stream = await opening;
    vendor.close(code);
    await readAll(stream);
    await closed;
    expect(tracing.spans).toMatchObject([{ set: { 'http.response.status_code': 101 }, ends: [error] }]);
  });
});

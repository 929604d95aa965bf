import { describe, expect, it } from 'vitest';
import { failureOf, readAll, sealed, SECRET, testUpstream } from './support.ts';
import { BINARY, CLOSE, closeFrame, frame, onePeer, PING, PONG, TEXT, webSocketServer } from './support-web-socket.ts';

const WS = { via: 'websocket', body: { start: true } } as const;
const message = (value: unknown) => ({ kind: 'message', value });

describe('a WebSocket', () => {
  it('is opened with the credential, says what is to begin, and brings messages until the vendor closes it', async () => {
    const { server, peer, closed } = await onePeer({ headers: ['x-request-id: r1', 'set-cookie: a=b'] });
    const opening = testUpstream().stream(server.origin, { ...WS, headers: { 'x-own': '1' }, query: { a: 'b' } });
    const vendor = await peer;
    const { frames, headers, status } = await opening;

    expect([status, headers]).toEqual([101, { 'x-request-id': 'r1' }]);
    expect(vendor.request.url).toBe('/run?a=b');
    expect(vendor.request.headers).toMatchObject({
      authorization: `Bearer ${SECRET}`,
      'x-own': '1',
      'user-agent': 'rungate/9.9.9',
      'sec-websocket-version': '13',
    });
    for (const name of ['sec-websocket-extensions', 'origin', 'accept', 'content-type', 'content-length']) {
      expect(vendor.request.headers).not.toHaveProperty(name);
    }
    expect(await vendor.next()).toEqual({ opcode: TEXT, payload: Buffer.from('{"start":true}') });

    const iterator = frames[Symbol.asyncIterator]();
    vendor.send('{"a":"ü"}');
    expect(await iterator.next()).toEqual({ done: false, value: message({ a: 'ü' }) });
    vendor.socket.write(frame(PING, 'hi'));
    expect(await vendor.next()).toEqual({ opcode: PONG, payload: Buffer.from('hi') });
    vendor.close(1000);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(await vendor.next()).toMatchObject({ opcode: CLOSE });
    await closed;
  });

  it('says nothing where there is nothing to say', async () => {
    const { server, peer } = await onePeer();
    const opening = testUpstream().stream(server.origin, { via: 'websocket', body: undefined } as never);
    const vendor = await peer;
    await opening;
    vendor.close();
    expect(await vendor.next()).toMatchObject({ opcode: CLOSE });
  });

  it('that was opened when nothing may begin any more says nothing, and is closed', async () => {
    const { server, peer, closed } = await onePeer();
    let asked = 0;
    // The handshake begins nothing; its message would.
    const opening = failureOf(testUpstream().stream(server.origin, { ...WS, mayLeave: () => ++asked === 1 }));
    const vendor = await peer;
    expect(await opening).toMatchObject({ failure: 'held_back', sent: false });
    expect((await vendor.next())?.opcode).not.toBe(TEXT);
    await closed;
    expect(asked).toBe(2);
  });

  it.each([
    [1000, null],
    [undefined, null],
    [1001, 'closed with code 1001'],
    [1011, 'closed with code 1011'],
    [4006, 'closed with code 4006'],
  ])('that is closed with code %s ends with %s', async (code, reason) => {
    const { server, peer, closed } = await onePeer();
    const opening = testUpstream().stream(server.origin, WS);
    const vendor = await peer;
    vendor.send('1');
    vendor.close(code);
    const { frames, error } = await readAll(await opening);
    expect(frames).toEqual([message(1)]);
    if (reason === null) expect(error).toBeNull();
    else {
      expect(error).toMatchObject({ failure: 'reset', sent: true });
      expect(String(error?.cause)).toContain(reason);
    }
    await closed;
  });

  it('brings the same wherever its bytes are cut, and ends in order only after the close frame', async () => {
    const whole = Buffer.concat([
      frame(TEXT, '{"a":"ü"}'),
      frame(TEXT, '[1', { fin: false }),
      frame(0, ',2]'),
      closeFrame(1000),
    ]);
    const upstream = testUpstream();
    for (let at = 0; at <= whole.length; at++) {
      const server = await webSocketServer(({ socket }) => {
        socket.write(whole.subarray(0, at));
        setImmediate(() => socket.write(whole.subarray(at)));
      });
      const all = await readAll(await upstream.stream(server.origin, WS));
      expect(all).toEqual({ frames: [message({ a: 'ü' }), message([1, 2])], error: null });

      const cut = await webSocketServer(({ socket }) => socket.end(whole.subarray(0, at)));
      const { error } = await readAll(await upstream.stream(cut.origin, WS));
      if (at === whole.length) expect(error).toBeNull();
      else expect(error).toMatchObject({ failure: 'reset', sent: true });
    }
  });

  it('brings what is no JSON, too deep or binary as unreadable', async () => {
    const { server, peer } = await onePeer();
    const opening = testUpstream().stream(server.origin, WS);
    const vendor = await peer;
    vendor.send('nope');
    vendor.send(`${'['.repeat(200)}${']'.repeat(200)}`);
    vendor.send('');
    vendor.socket.write(frame(BINARY, '{}'));
    vendor.close(1000);
    expect((await readAll(await opening)).frames.map(({ kind }) => kind)).toEqual(Array(4).fill('unreadable'));
  });

  it('that would take too long to search brings an unreadable message, and one line says why', async () => {
    const { server, peer } = await onePeer();
    const upstream = testUpstream();
    const credential = sealed(server.origin, `${'A'.repeat(8_000)}b`);
    const about = { provider: 'a-vendor', operation: 'start', runId: 'run_1' };
    const opening = upstream.stream(server.origin, { ...WS, credential, about });
    const vendor = await peer;
    for (let i = 0; i < 2; i++) vendor.send(`"%${'A'.repeat(50_000)}"`);
    vendor.close(1000);
    expect((await readAll(await opening)).frames.map(({ kind }) => kind)).toEqual(['unreadable', 'unreadable']);
    expect(upstream.logged.map(({ fields }) => fields)).toEqual([
      { provider: 'a-vendor', operation: 'start', run_id: 'run_1' },
    ]);
  });

  it('tells no header whose name holds the credential', async () => {
    const { server, peer } = await onePeer({ headers: ['x-ratelimit-limit: 1', 'x-ratelimit-sk-live-0123456789: 2'] });
    const credential = sealed(server.origin, 'sk-live-0123456789');
    const opening = testUpstream().stream(server.origin, { ...WS, credential });
    (await peer).close(1000);
    expect((await opening).headers).toEqual({ 'x-ratelimit-limit': '1' });
  });

  it.each([
    ['a message that is too large', frame(TEXT, 'x'.repeat(1_100_000)), 'too_large'],
    [
      'a message that is too large in pieces',
      Buffer.concat([frame(TEXT, 'x'.repeat(600_000), { fin: false }), frame(0, 'x'.repeat(600_000))]),
      'too_large',
    ],
    ['a message that is not UTF-8', frame(TEXT, Buffer.from([0xff])), 'reset'],
    ['a frame that breaks the protocol', Buffer.from([0xc1, 0x00]), 'reset'],
  ])('is given up by %s', async (_name, bytes, failure) => {
    const { server, peer, closed } = await onePeer();
    const opening = testUpstream().stream(server.origin, WS);
    const vendor = await peer;
    vendor.send('1');
    vendor.socket.write(bytes);
    const { frames, error } = await readAll(await opening);
    expect([frames, error?.failure, error?.sent]).toEqual([[message(1)], failure, true]);
    await closed;
  });

  it('is given up where it brings more than an answer may', async () => {
    const { server, peer, closed } = await onePeer();
    const opening = testUpstream({ limits: { answerBytesMax: 1_000 } }).stream(server.origin, WS);
    const vendor = await peer;
    for (let i = 0; i < 50; i++) vendor.send('"0123456789012345678901234567890"');
    expect((await readAll(await opening)).error).toMatchObject({ failure: 'too_large', sent: true });
    await closed;
  });

  it('is given up when it falls silent; a ping is a sign of life', async () => {
    const { server, peer, closed } = await onePeer();
    const opening = testUpstream().stream(server.origin, { ...WS, bodyTimeoutMs: 150 });
    const vendor = await peer;
    const pings = setInterval(() => vendor.socket.write(frame(PING, '')), 50);
    setTimeout(() => clearInterval(pings), 400);
    const before = performance.now();
    expect((await readAll(await opening)).error).toMatchObject({ failure: 'body_timeout', sent: true });
    expect(performance.now() - before).toBeGreaterThan(450);
    await closed;
  });

  it('holds the vendor back while nobody reads', async () => {
    const { server, peer } = await onePeer();
    const text = JSON.stringify('x'.repeat(1_000));
    const bytes = frame(TEXT, text);
    let written = 0;
    const upstream = testUpstream({ limits: { answerBytesMax: 100_000_000 } });
    const { frames } = await upstream.stream(server.origin, { ...WS, bodyTimeoutMs: 200 });
    const vendor = await peer;
    const more = (): void => {
      while (written < 50_000) {
        written++;
        if (!vendor.socket.write(bytes)) return void vendor.socket.once('drain', more);
      }
      vendor.close(1000);
    };
    more();
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(written * bytes.length).toBeLessThan(15_000_000);
    let count = 0;
    for await (const { kind } of frames) {
      expect(kind).toBe('message');
      count++;
    }
    expect(count).toBe(50_000);
  });
});

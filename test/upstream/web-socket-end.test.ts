import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { answerText, failureOf, rawServer, sealed, signalled, testUpstream } from './support.ts';
import { CLOSE, onePeer, TEXT } from './support-web-socket.ts';

const WS = { via: 'websocket', body: { start: true } } as const;
const message = (value: unknown) => ({ kind: 'message', value });

describe('a WebSocket that we leave', () => {
  it('by leaving the loop is closed, with a close frame', async () => {
    const { server, peer, closed } = await onePeer();
    const opening = testUpstream().stream(server.origin, WS);
    const vendor = await peer;
    vendor.send('1');
    for await (const one of (await opening).frames) {
      expect(one).toEqual(message(1));
      break;
    }
    expect((await vendor.next())?.opcode).toBe(TEXT);
    expect((await vendor.next())?.opcode).toBe(CLOSE);
    await closed;
  });

  it.each(['while it connects', 'while it shakes hands', 'while it is open'])('by the signal %s', async (when) => {
    const leaving = new AbortController();
    const upstream = testUpstream();
    const closed = signalled();
    if (when === 'while it is open') {
      const { server, closed: gone } = await onePeer();
      const { frames } = await upstream.stream(server.origin, WS, leaving.signal);
      const next = failureOf(frames[Symbol.asyncIterator]().next());
      leaving.abort();
      expect(await next).toMatchObject({ failure: 'aborted', sent: true });
      return gone;
    }
    const server = await rawServer(({ socket }) => {
      socket.once('close', () => closed.resolve());
      leaving.abort();
    });
    const opened = signalled<Secret>();
    const connecting = when === 'while it connects';
    const credential = connecting
      ? { id: 'c', origin: server.origin, open: () => opened.promise }
      : sealed(server.origin);
    const opening = failureOf(upstream.open(server.origin, { ...WS, credential }, leaving.signal));
    if (connecting) leaving.abort();
    expect(await opening).toMatchObject({ failure: 'aborted', sent: false });
    opened.resolve(new Secret('late-secret'));
    if (connecting) expect(server.requests()).toBe(0);
    else await closed.promise;
  });

  it('is gone although the vendor reads nothing any more', async () => {
    const { server, peer, closed } = await onePeer();
    const leaving = new AbortController();
    const body = { text: 'x'.repeat(8_000_000) };
    const opening = testUpstream().stream(server.origin, { ...WS, body }, leaving.signal);
    const vendor = await peer;
    vendor.socket.pause();
    await opening;
    leaving.abort();
    expect(vendor.socket.isPaused()).toBe(true);
    setTimeout(() => vendor.socket.resume(), 100);
    await closed;
  });

  it('goes when everything is closed', async () => {
    const { server, closed } = await onePeer();
    const upstream = testUpstream();
    const { frames } = await upstream.stream(server.origin, WS);
    const next = failureOf(frames[Symbol.asyncIterator]().next());
    await upstream.close();
    expect(await next).toMatchObject({ failure: 'aborted' });
    await closed;
  });
});

describe('a handshake', () => {
  it.each([400, 401, 404, 429, 503, 200, 302])('that is refused is an answer: %i', async (status) => {
    const server = await rawServer(({ socket }) => {
      socket.write(answerText('{"error":"no"}', { status: `${status} X`, headers: ['retry-after: 7'] }));
    });
    expect(await testUpstream().open(server.origin, WS)).toMatchObject({
      is: 'answer',
      answer: { status, headers: { 'retry-after': '7' }, body: { kind: 'json', value: { error: 'no' } } },
    });
  });

  it('that is broken off has sent nothing', async () => {
    const upstream = testUpstream();
    const reset = await rawServer(({ socket }) => socket.resetAndDestroy());
    expect(await failureOf(upstream.open(reset.origin, WS))).toMatchObject({ failure: 'connect', sent: false });
    const mute = await rawServer(() => {});
    expect(await failureOf(upstream.open(mute.origin, { ...WS, headersTimeoutMs: 100 }))).toMatchObject({
      failure: 'headers_timeout',
      sent: false,
    });
    expect(await failureOf(upstream.open('http://127.0.0.1:1', WS))).toMatchObject({ failure: 'connect', sent: false });
  });

  it.each([
    ['a wrong proof', { accept: () => 'bm9wZQ==' }],
    ['an extension that nobody offered', { headers: ['sec-websocket-extensions: permessage-deflate'] }],
    ['a protocol that nobody offered', { headers: ['sec-websocket-protocol: x'] }],
  ])('with %s is refused, and has sent nothing', async (_name, options) => {
    const { server, peer, closed } = await onePeer(options);
    const opening = failureOf(testUpstream().open(server.origin, WS));
    expect(await opening).toMatchObject({ failure: 'connect', sent: false });
    expect(await (await peer).next()).toBeNull();
    await closed;
  });

  it('never reaches an address that the guard refuses, nor another origin than the credential’s', async () => {
    const { server } = await onePeer();
    const upstream = testUpstream({ loopback: false });
    expect(await failureOf(upstream.open(server.origin, WS))).toMatchObject({
      failure: 'forbidden_address',
      sent: false,
    });
    const allowed = await upstream.open(server.origin, { ...WS, allowPrivateNetwork: true });
    expect(allowed.is).toBe('stream');
    const credential = sealed('https://elsewhere.test');
    expect(await failureOf(upstream.open(server.origin, { ...WS, credential }))).toMatchObject({
      failure: 'invalid_request',
      sent: false,
    });
    expect(server.connections()).toBe(1);
  });
});

describe('a WebSocket that echoes our credential', () => {
  it('is scrubbed of it in messages and headers', async () => {
    const secret = 'pw-äöü/0123456789';
    const { server, peer } = await onePeer({ headers: ['x-request-id: tok-0123456789'] });
    const opening = testUpstream().stream(server.origin, {
      ...WS,
      auth: { type: 'query', name: 'key' },
      credential: sealed(server.origin, secret),
      secretQuery: { name: 'token', value: new Secret('tok-0123456789') },
    });
    const vendor = await peer;
    expect(new URL(vendor.request.url ?? '', 'http://x').searchParams.get('key')).toBe(secret);
    vendor.send(JSON.stringify({ a: `<${secret}>`, b: 'tok-0123456789' }));
    vendor.close(1000);
    const { headers, frames } = await opening;
    expect(headers).toEqual({ 'x-request-id': '[secret]' });
    for await (const one of frames) expect(one).toEqual(message({ a: '<[secret]>', b: '[secret]' }));
  });
});

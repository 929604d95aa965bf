import { describe, expect, it } from 'vitest';
import { answerText, chunk, CHUNKED, failureOf, HEAD, holding, rawServer, readAll, testUpstream } from './support.ts';

const BODY = 'data: a\n\nevent: e\ndata: \u00fc\n\n';

describe('the end of a stream from our side', () => {
  it('comes by leaving the loop: the connection is closed', async () => {
    const { server, closed } = await holding(CHUNKED + chunk(BODY).toString());
    for await (const frame of (await testUpstream().stream(server.origin)).frames) {
      expect(frame.kind).toBe('event');
      break;
    }
    await closed;
  });

  it('comes by the signal while a frame is awaited', async () => {
    const { server, closed } = await holding(CHUNKED);
    const leaving = new AbortController();
    const { frames } = await testUpstream().stream(server.origin, {}, leaving.signal);
    const next = failureOf(frames[Symbol.asyncIterator]().next());
    leaving.abort();
    expect(await next).toMatchObject({ failure: 'aborted', sent: true });
    await closed;
  });

  it('comes by the signal while frames wait: they are dropped', async () => {
    const { server, closed } = await holding(CHUNKED + chunk(BODY).toString());
    const leaving = new AbortController();
    const iterator = (await testUpstream().stream(server.origin, {}, leaving.signal)).frames[Symbol.asyncIterator]();
    await iterator.next();
    leaving.abort();
    expect(await failureOf(iterator.next())).toMatchObject({ failure: 'aborted' });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    await closed;
  });

  it('comes by the signal although the vendor has ended, as long as frames wait', async () => {
    const server = await rawServer(({ socket }) => socket.write(answerText(BODY)));
    const leaving = new AbortController();
    const iterator = (await testUpstream().stream(server.origin, {}, leaving.signal)).frames[Symbol.asyncIterator]();
    await iterator.next();
    await new Promise(setImmediate);
    leaving.abort();
    expect(await failureOf(iterator.next())).toMatchObject({ failure: 'aborted' });
  });

  it.each(['before the call', 'before the head'])('comes by the signal %s', async (when) => {
    const server = await rawServer(() => leaving.abort());
    const leaving = new AbortController();
    if (when === 'before the call') leaving.abort();
    const error = await failureOf(testUpstream().open(server.origin, {}, leaving.signal));
    expect(error).toMatchObject({ failure: 'aborted', sent: when === 'before the head' });
  });

  it('comes when everything is closed', async () => {
    const { server, closed } = await holding(CHUNKED);
    const upstream = testUpstream();
    const { frames } = await upstream.stream(server.origin);
    const next = failureOf(frames[Symbol.asyncIterator]().next());
    await upstream.close();
    expect(await next).toMatchObject({ failure: 'aborted' });
    await closed;
  });

  it('comes when the vendor falls silent, and not before', async () => {
    const { server, arrived, closed } = await holding(CHUNKED);
    const stream = await testUpstream().stream(server.origin, { bodyTimeoutMs: 150 });
    const socket = await arrived;
    const comments = setInterval(() => socket.write(chunk(': ping\n\n')), 50);
    const before = performance.now();
    setTimeout(() => clearInterval(comments), 400);
    const { error } = await readAll(stream);
    expect(error).toMatchObject({ failure: 'body_timeout', sent: true });
    expect(performance.now() - before).toBeGreaterThan(450);
    await closed;
  });

  it('comes when the stream is longer than an answer may be, after what was there', async () => {
    const { server, closed } = await holding(CHUNKED + chunk('data: 0123456789\n\n'.repeat(60)).toString());
    const upstream = testUpstream({ limits: { answerBytesMax: 1_000 } });
    const { error } = await readAll(await upstream.stream(server.origin));
    expect(error).toMatchObject({ failure: 'too_large', sent: true });
    await closed;
    const announced = await holding(`${HEAD}content-length: 5000\r\n\r\n`);
    const second = await readAll(await upstream.stream(announced.server.origin));
    expect(second.error).toMatchObject({ failure: 'too_large' });
  });
});

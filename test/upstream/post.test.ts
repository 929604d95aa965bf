import { describe, expect, it } from 'vitest';
import { answerText, echo, failureOf, httpServer, postTo, rawServer, signalled, testUpstream } from './support.ts';

const never = new AbortController().signal;

describe('a post to an address that a caller has named', () => {
  it('carries the message, its headers and our name, and nothing that is secret', async () => {
    const seen = signalled<{ head: object; body: string; url: string }>();
    const server = await httpServer(
      echo(({ headers, url = '' }, body) => {
        seen.resolve({ head: headers, body, url });
        return { ignored: true };
      }),
    );
    const answer = await testUpstream().post(postTo(`${server.origin}/hook/../a b?c=ü#part`), never);
    expect(answer).toEqual({ status: 200, headers: {} });
    expect(await seen.promise).toEqual({
      url: '/a%20b?c=%C3%BC',
      body: '{"type":"run.succeeded"}',
      head: {
        host: server.origin.slice(7),
        connection: 'keep-alive',
        'content-type': 'application/json',
        'content-length': '24',
        'user-agent': 'rungate/9.9.9',
        'rungate-hop': '1',
        'webhook-id': 'msg_1',
      },
    });
  });

  it.each([204, 302, 410, 429, 500])(
    'tells of status %i and when to come again, and follows nowhere',
    async (status) => {
      const elsewhere = await httpServer(echo(() => ({})));
      const headers = ['retry-after: 9', `location: ${elsewhere.origin}/`, 'set-cookie: a=b'];
      const server = await rawServer(({ socket }) => {
        socket.write(
          status === 204
            ? `HTTP/1.1 204 X\r\n${headers.join('\r\n')}\r\n\r\n`
            : answerText('x', { status: `${status} X`, headers }),
        );
      });
      expect(await testUpstream().post(postTo(server.origin), never)).toEqual({
        status,
        headers: { 'retry-after': '9' },
      });
      expect(elsewhere.connections()).toBe(0);
    },
  );

  it('reads no more than 64 KiB of an answer', async () => {
    const closed = signalled();
    const server = await rawServer(({ socket }) => {
      socket.once('close', () => closed.resolve());
      socket.write(answerText('x'.repeat(1_000_000)));
    });
    expect(await testUpstream().post(postTo(server.origin), never)).toMatchObject({ status: 200 });
    await closed.promise;
  });

  it('takes the status of an answer whose body stalls or breaks', async () => {
    const upstream = testUpstream();
    const stalled = await rawServer(({ socket }) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx'));
    expect(await upstream.post(postTo(stalled.origin, { timeoutMs: 200 }), never)).toMatchObject({ status: 200 });
    const broken = await rawServer(({ socket }) => socket.end('HTTP/1.1 500 X\r\ncontent-length: 9\r\n\r\nx'));
    expect(await upstream.post(postTo(broken.origin), never)).toMatchObject({ status: 500 });
  });

  it('ends in time, whatever the receiver does', async () => {
    const server = await rawServer(({ socket }) => {
      const drip = setInterval(() => socket.write('HTTP/1.1 200 OK\r\n'.charAt(0)), 50);
      socket.once('close', () => clearInterval(drip));
    });
    const mute = await rawServer(() => {});
    const before = performance.now();
    for (const { origin } of [server, mute]) {
      const error = await failureOf(testUpstream().post(postTo(origin, { timeoutMs: 200 }), never));
      expect([error.failure === 'headers_timeout' || error.failure === 'reset', error.sent]).toEqual([true, true]);
    }
    expect(performance.now() - before).toBeLessThan(1_500);
  });

  it.each([
    '127.0.0.1',
    'localhost',
    '0x7f.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
    '10.0.0.1',
    '[fd00::1]',
  ])('never reaches %s by default, not even where it is exempted for vendors', async (host) => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream();
    // The exemption is there.
    expect((await upstream.call(server.origin)).status).toBe(200);
    const post = postTo(`http://${host}:${server.port}/`, { allowPrivateNetwork: false });
    expect(await failureOf(upstream.post(post, never))).toMatchObject({ failure: 'forbidden_address', sent: false });
    expect(server.connections()).toBe(1);
  });

  it('never shares a connection with one that may reach private networks', async () => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream();
    await upstream.post(postTo(server.origin), never);
    const refused = upstream.post(postTo(server.origin, { allowPrivateNetwork: false }), never);
    expect(await failureOf(refused)).toMatchObject({ failure: 'forbidden_address' });
  });

  it.each([
    'ftp://example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'http://user:pass-word@127.0.0.1:1/',
    'http://user@127.0.0.1:1/',
    'not a url',
    '',
    `https://example.com/${'x'.repeat(5_000)}`,
  ])('refuses %s, and does not repeat it', async (url) => {
    const error = await failureOf(testUpstream().post(postTo(url), never));
    expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
    expect(String(error.cause)).not.toContain('pass-word');
  });

  it.each<Record<string, string>>([
    { authorization: 'x' },
    { Host: 'x' },
    { cookie: 'x' },
    { 'content-length': '1' },
    { 'transfer-encoding': 'chunked' },
    { 'user-agent': 'x' },
    { 'x-anything': 'x' },
    { 'webhook-id': 'a\r\nx: 1' },
    { 'webhook id': 'a' },
    { 'webhook-ü': 'a' },
  ])('refuses the header %o', async (headers) => {
    const server = await httpServer(echo(() => ({})));
    const error = await failureOf(testUpstream().post(postTo(server.origin, { headers }), never));
    expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
    expect(server.connections()).toBe(0);
  });

  it('ends with the signal, and with everything', async () => {
    const arrived = signalled();
    const closed = signalled();
    const server = await rawServer(({ socket }) => {
      socket.once('close', () => closed.resolve());
      arrived.resolve();
    });
    const upstream = testUpstream();
    const leaving = new AbortController();
    const call = failureOf(upstream.post(postTo(server.origin), leaving.signal));
    await arrived.promise;
    leaving.abort();
    expect(await call).toMatchObject({ failure: 'aborted', sent: true });
    await closed.promise;
    expect(await failureOf(upstream.post(postTo(server.origin), leaving.signal))).toMatchObject({ sent: false });
    await upstream.close();
    expect(await failureOf(upstream.post(postTo(server.origin), never))).toMatchObject({ failure: 'aborted' });
  });

  it('tells connections that were refused from those that broke', async () => {
    const upstream = testUpstream();
    expect(await failureOf(upstream.post(postTo('http://127.0.0.1:1/'), never))).toMatchObject({
      failure: 'connect',
      sent: false,
    });
    const server = await rawServer(({ socket }) => socket.resetAndDestroy());
    expect(await failureOf(upstream.post(postTo(server.origin), never))).toMatchObject({
      failure: 'reset',
      sent: true,
    });
  });
});

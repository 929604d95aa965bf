import { createServer as createTcpServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { failureOf, jsonOf, listen, rawServer, answerText, signalled, testUpstream } from './support.ts';

describe('the time for the head', () => {
  it.each([300, 1_300, 2_100])(
    'of %i ms is kept to within half a second, and never cut short',
    async (headersTimeoutMs) => {
      const closed = signalled();
      const server = await rawServer(({ socket }) => socket.once('close', () => closed.resolve()));
      const upstream = testUpstream();
      const before = performance.now();

      const error = await failureOf(upstream.call(server.origin, { headersTimeoutMs }));
      const tookMs = performance.now() - before;

      expect(error).toMatchObject({ failure: 'headers_timeout', sent: true });
      expect(tookMs).toBeGreaterThanOrEqual(headersTimeoutMs);
      expect(tookMs).toBeLessThan(headersTimeoutMs + 500);
      await closed.promise;
    },
  );

  it('does not count an answer as late that lay in the socket while we were busy', async () => {
    const server = await rawServer(({ socket }) => {
      socket.write(answerText('{"in":"time"}'), () => {
        // Busy until long after the limit, with the answer on its way.
        const until = performance.now() + 300;
        while (performance.now() < until);
      });
    });
    const answer = await testUpstream().call(server.origin, { headersTimeoutMs: 150 });
    expect(jsonOf(answer)).toEqual({ in: 'time' });
  });

  it('includes opening the credential', async () => {
    const server = await rawServer(() => {});
    const credential = { id: 'c', origin: server.origin, open: () => new Promise<never>(() => {}) };
    const error = await failureOf(testUpstream().call(server.origin, { credential, headersTimeoutMs: 100 }));
    expect(error).toMatchObject({ failure: 'connect', sent: false });
    expect(server.connections()).toBe(0);
  });
});

describe('the time that the body may be silent', () => {
  it('starts again with every chunk', async () => {
    const server = await rawServer(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n');
      const parts = ['{"a', '":"', 'bcd', 'e"}'];
      const timer = setInterval(() => {
        socket.write(parts.shift() ?? '');
        if (parts.length === 0) clearInterval(timer);
      }, 150);
    });
    const answer = await testUpstream().call(server.origin, { bodyTimeoutMs: 400 });
    expect(jsonOf(answer)).toEqual({ a: 'bcde' });
    expect(answer.durationMs).toBeGreaterThan(550);
  });

  it('ends in a broken body, with the head', async () => {
    const closed = signalled();
    const server = await rawServer(({ socket }) => {
      socket.once('close', () => closed.resolve());
      socket.write('HTTP/1.1 404 Nope\r\nretry-after: 3\r\ncontent-length: 12\r\n\r\n{"a');
    });
    const before = performance.now();
    const answer = await testUpstream().call(server.origin, { bodyTimeoutMs: 200 });
    expect(answer).toMatchObject({ status: 404, headers: { 'retry-after': '3' }, body: { kind: 'broken' } });
    expect(performance.now() - before).toBeLessThan(700);
    await closed.promise;
  });
});

describe('the time to connect', () => {
  it('covers a TLS handshake that never ends', async () => {
    const server = await listen(createTcpServer(), 'https');
    const upstream = testUpstream({ limits: { connectTimeoutMs: 200 } });
    const before = performance.now();

    const error = await failureOf(upstream.call(server.origin, { allowPrivateNetwork: true }));

    expect(error).toMatchObject({ failure: 'tls', sent: false });
    const tookMs = performance.now() - before;
    expect(tookMs).toBeGreaterThanOrEqual(199);
    expect(tookMs).toBeLessThan(700);
  });
});

import { createServer as createTcpServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import {
  answerText,
  echo,
  failureOf,
  httpServer,
  jsonOf,
  listen,
  rawServer,
  signalled,
  testUpstream,
} from './support.ts';

describe('nothing was sent', () => {
  it('when nobody listens', async () => {
    const gone = await listen(createTcpServer());
    const upstream = testUpstream();
    const dead = await closedPort();

    expect(await failureOf(upstream.call(`http://127.0.0.1:${dead}`))).toMatchObject({
      failure: 'connect',
      sent: false,
    });
    expect(gone.connections()).toBe(0);
  });

  it('when the caller leaves while the credential is being opened', async () => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream();
    const leaving = new AbortController();
    const opened = signalled<Secret>();
    const credential = { id: 'c', origin: server.origin, open: () => opened.promise };

    const call = failureOf(upstream.call(server.origin, { credential }, leaving.signal));
    leaving.abort();
    expect(await call).toMatchObject({ failure: 'aborted', sent: false });

    opened.resolve(new Secret('late-secret'));
    expect((await upstream.call(server.origin)).status).toBe(200);
    expect(server.connections()).toBe(1);
  });

  it('when the caller leaves while waiting for a connection, and it stays so once one is free', async () => {
    const held = signalled();
    const server = await rawServer(({ socket, nth }) => {
      if (nth === 1) void held.promise.then(() => socket.write(answerText('{}')));
      else socket.write(answerText('{}'));
    });
    const upstream = testUpstream({ limits: { connectionsPerOriginMax: 1 } });
    const first = upstream.call(server.origin);
    const leaving = new AbortController();
    const second = failureOf(upstream.call(server.origin, {}, leaving.signal));
    await turn();
    leaving.abort();

    expect(await second).toMatchObject({ failure: 'aborted', sent: false });
    held.resolve();
    await first;
    // The connection is still good, and the left call is skipped.
    expect((await upstream.call(server.origin, { path: '/third' })).status).toBe(200);
    expect(server.requests()).toBe(2);
    expect(server.connections()).toBe(1);
  });

  it('when no connection is free in time', async () => {
    const server = await rawServer(() => {});
    const upstream = testUpstream({ limits: { connectionsPerOriginMax: 1 } });
    const leaving = new AbortController();
    const first = failureOf(upstream.call(server.origin, {}, leaving.signal));

    const second = await failureOf(upstream.call(server.origin, { headersTimeoutMs: 100 }));
    leaving.abort();

    expect(second).toMatchObject({ failure: 'connect', sent: false });
    expect(await first).toMatchObject({ failure: 'aborted', sent: true });
    expect(server.requests()).toBe(1);
  });

  it('when more calls wait than the limit allows', async () => {
    const server = await rawServer(() => {});
    const upstream = testUpstream({ limits: { connectionsPerOriginMax: 1, waitingPerOriginMax: 1 } });
    const leaving = new AbortController();
    const held = [1, 2].map(() => failureOf(upstream.call(server.origin, {}, leaving.signal)));

    expect(await failureOf(upstream.call(server.origin))).toMatchObject({ failure: 'connect', sent: false });
    leaving.abort();
    await Promise.all(held);
  });

  it('when it may not leave any more once its credential is there, and the connection stays good', async () => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream();
    const opened = signalled<Secret>();
    const credential = { id: 'c', origin: server.origin, open: () => opened.promise };
    let mayLeave = true;

    const call = failureOf(upstream.call(server.origin, { credential, mayLeave: () => mayLeave }));
    mayLeave = false;
    opened.resolve(new Secret('late-secret'));

    expect(await call).toMatchObject({ failure: 'held_back', sent: false });
    mayLeave = true;
    expect((await upstream.call(server.origin, { mayLeave: () => mayLeave })).status).toBe(200);
    expect(server.connections()).toBe(1);
  });

  it('when the signal was aborted before', async () => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream();

    const error = await failureOf(upstream.call(server.origin, {}, AbortSignal.abort()));

    expect(error).toMatchObject({ failure: 'aborted', sent: false });
    expect(server.connections()).toBe(0);
  });
});

describe('it was sent, once', () => {
  it('when the server accepts and closes at once', async () => {
    const server = await listen(createTcpServer((socket) => socket.destroy()));
    const upstream = testUpstream();

    const error = await failureOf(upstream.call(server.origin));

    // Whether undici wrote before it saw the close decides what may be claimed; never "not sent" wrongly.
    expect(['reset', 'connect']).toContain(error.failure);
    expect(error.sent).toBe(error.failure === 'reset');
  });

  it.each(['POST', 'GET', 'PUT', 'DELETE'] as const)('when the server resets after a %s', async (method) => {
    const server = await rawServer(({ socket }) => socket.resetAndDestroy());
    const upstream = testUpstream();

    const error = await failureOf(upstream.call(server.origin, { method }));

    expect(error).toMatchObject({ failure: 'reset', sent: true });
    await turn();
    expect(server.requests()).toBe(1);
  });

  it.each(['start', 'any'] as const)(
    'when the server resets on the second request of a kept connection (%s)',
    async (connection) => {
      const server = await rawServer(({ socket, nth }) => {
        if (nth === 1) socket.write(answerText('{}'));
        else socket.resetAndDestroy();
      });
      const upstream = testUpstream();
      await upstream.call(server.origin, { connection });
      await turn();

      const error = await failureOf(upstream.call(server.origin, { connection }));

      expect(error).toMatchObject({ failure: 'reset', sent: true });
      await turn();
      expect([server.requests(), server.connections()]).toEqual([2, 1]);
    },
  );

  it('over a new connection, when the server closed the kept one before', async () => {
    const closed = signalled();
    const server = await rawServer(({ socket, connection }) => {
      socket.write(answerText(JSON.stringify({ connection })));
      if (connection === 1) {
        socket.end();
        socket.once('close', () => closed.resolve());
      }
    });
    const upstream = testUpstream();
    await upstream.call(server.origin);
    await closed.promise;

    expect(jsonOf(await upstream.call(server.origin))).toEqual({ connection: 2 });
    expect(server.requests()).toBe(2);
  });

  it('however the server and we race for a kept connection: each call reaches the server at most once', async () => {
    const seen = new Map<string, number>();
    const server = await rawServer(({ socket, head, nth }) => {
      const id = /POST \/(\S+)/.exec(head)?.[1] ?? '';
      seen.set(id, (seen.get(id) ?? 0) + 1);
      socket.write(answerText('{}'));
      // Closes as the next request may be on its way: at once, a turn later, or in the middle of the third.
      if (nth === 3) socket.resetAndDestroy();
      else if (Number(id) % 3 === 0) setImmediate(() => socket.end());
      else if (Number(id) % 7 === 0) socket.end();
    });
    const upstream = testUpstream({ limits: { connectionsPerOriginMax: 4 } });
    const outcomes = new Map<string, 'unsent' | 'sent' | 'answered'>();
    const worker = async (from: number) => {
      for (let id = from; id < 400; id += 8) {
        await upstream.call(server.origin, { path: `/${id}` }).then(
          () => outcomes.set(String(id), 'answered'),
          (error: { sent: boolean }) => outcomes.set(String(id), error.sent ? 'sent' : 'unsent'),
        );
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, from) => worker(from)));

    expect(outcomes.size).toBe(400);
    for (const [id, outcome] of outcomes) {
      const allowed = { unsent: [0], sent: [0, 1], answered: [1] }[outcome];
      expect(allowed).toContain(seen.get(id) ?? 0);
    }
  });

  it('when the caller leaves before an answer: the connection is closed', async () => {
    const closed = signalled();
    const arrived = signalled();
    const server = await rawServer(({ socket }) => {
      socket.once('close', () => closed.resolve());
      arrived.resolve();
    });
    const upstream = testUpstream();
    const leaving = new AbortController();
    const call = failureOf(upstream.call(server.origin, {}, leaving.signal));
    await arrived.promise;
    leaving.abort();

    expect(await call).toMatchObject({ failure: 'aborted', sent: true });
    await closed.promise;
  });

  it('when the caller leaves in the middle of the body', async () => {
    const server = await rawServer(({ socket }) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{'));
    const upstream = testUpstream();
    const leaving = new AbortController();
    const call = failureOf(upstream.call(server.origin, {}, leaving.signal));
    setTimeout(() => leaving.abort(), 50);

    expect(await call).toMatchObject({ failure: 'aborted', sent: true });
  });

  it.each([
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['a broken status line', 'HTTP/1.1 abc OK\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n'],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['an endless head', `HTTP/1.1 200 OK\r\nx-long: ${'a'.repeat(40_000)}\r\n\r\n`],
    ['a protocol switch', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
    ['nothing', ''],
  ])('when the answer is %s: reset', async (_name, bytes) => {
    const server = await rawServer(({ socket }) => socket.end(bytes, 'latin1'));
    const upstream = testUpstream();

    expect(await failureOf(upstream.call(server.origin))).toMatchObject({ failure: 'reset', sent: true });
  });
});

/** One turn of the event loop, so that what undici scheduled has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

async function closedPort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

import { createServer as createTcpServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createPools } from '../../src/upstream/pools.ts';
import {
  UPSTREAM_LIMITS,
  answerText,
  echo,
  failureOf,
  httpServer,
  listen,
  rawServer,
  requestTo,
  signalled,
  testUpstream,
} from './support.ts';

function pools(poolsMax: number, clock = systemClock) {
  const limits = { ...UPSTREAM_LIMITS, poolsMax };
  return createPools({ clock, limits, allowedLoopback: new Set(), interceptors: [] });
}

describe('the pools', () => {
  it('open no more connections than allowed, and send one request at a time over each', async () => {
    const open = new Map<number, number>();
    const server = await rawServer(({ socket, connection }) => {
      open.set(connection, (open.get(connection) ?? 0) + 1);
      expect(open.get(connection)).toBe(1);
      setTimeout(() => {
        open.set(connection, 0);
        socket.write(answerText('{}'));
      }, 5);
    });
    const upstream = testUpstream({ limits: { connectionsPerOriginMax: 3 } });
    await Promise.all(Array.from({ length: 30 }, () => upstream.call(server.origin)));
    expect([server.connections(), server.requests()]).toEqual([3, 30]);
  });

  it('stay as few as the limit says: the longest idle one makes room', async () => {
    const kept = pools(2);
    for (const host of ['a', 'b', 'c', 'd']) {
      const origin = `https://${host}.test`;
      kept.leave(kept.enter(origin, requestTo(origin)));
    }
    expect(kept.size).toBe(2);
    await kept.destroy();
    expect(kept.size).toBe(0);
  });

  it('are never closed while in use', async () => {
    const kept = pools(1);
    const busy = kept.enter('https://a.test', requestTo('https://a.test'));
    expect(() => kept.enter('https://b.test', requestTo('https://b.test'))).toThrow('connect');
    kept.leave(busy);
    kept.leave(kept.enter('https://b.test', requestTo('https://b.test')));
    expect(kept.size).toBe(1);
    await kept.destroy();
  });

  it('are closed when another is opened after minutes without a call', async () => {
    let now = 0;
    const kept = pools(100, { ...systemClock, monotonic: () => now });
    for (const host of ['a', 'b', 'c']) kept.leave(kept.enter(`https://${host}.test`, requestTo('https://a.test')));
    now = 300_001;
    kept.leave(kept.enter('https://d.test', requestTo('https://a.test')));
    expect(kept.size).toBe(1);
    await kept.destroy();
  });
});

describe('closing', () => {
  it('gives up connections that are still being made', async () => {
    const arrived = signalled();
    const closed = signalled();
    const mute = createTcpServer((socket) => {
      arrived.resolve();
      socket.once('close', () => closed.resolve());
    });
    const server = await listen(mute, 'https');
    const upstream = testUpstream();
    const call = failureOf(upstream.call(server.origin, { allowPrivateNetwork: true }));
    await arrived.promise;

    await upstream.close();

    expect(await call).toMatchObject({ failure: 'aborted', sent: false });
    await closed.promise;
  });

  it('aborts what is going on, refuses what comes, and leaves no connection', async () => {
    const closed = signalled();
    const arrived = signalled();
    const server = await rawServer(({ socket }) => {
      socket.once('close', () => closed.resolve());
      arrived.resolve();
    });
    const idle = await httpServer(echo(() => ({})));
    const upstream = testUpstream();
    await upstream.call(idle.origin, { connection: 'any' });
    const call = failureOf(upstream.call(server.origin));
    await arrived.promise;

    const closing = upstream.close();
    expect(await call).toMatchObject({ failure: 'aborted', sent: true });
    await closing;
    await closed.promise;
    expect(await failureOf(upstream.call(idle.origin))).toMatchObject({ failure: 'aborted', sent: false });
    await upstream.close();
  });
});

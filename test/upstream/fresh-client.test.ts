import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { answerText, jsonOf, rawServer, testUpstream } from './support.ts';

/** Tells which connection a request came by. */
function counting() {
  return rawServer(({ socket, connection }) => {
    socket.write(answerText(JSON.stringify(connection), { headers: ['keep-alive: timeout=60'] }));
  });
}

function pauseMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe('a start', () => {
  it('uses a connection that was used just now', async () => {
    const server = await counting();
    const upstream = testUpstream();
    expect(jsonOf(await upstream.call(server.origin))).toBe(1);
    await pauseMs(300);
    expect(jsonOf(await upstream.call(server.origin))).toBe(1);
  });

  it('uses no connection that was idle for a second, whatever the server promises', async () => {
    const server = await counting();
    const upstream = testUpstream();
    expect(jsonOf(await upstream.call(server.origin))).toBe(1);
    await pauseMs(1_000);
    expect(jsonOf(await upstream.call(server.origin))).toBe(2);
  });

  it('uses none after a busy spell either, when the timer that closes it had no time to run', async () => {
    const server = await counting();
    let skippedMs = 0;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + skippedMs };
    const upstream = testUpstream({ clock });
    expect(jsonOf(await upstream.call(server.origin))).toBe(1);
    skippedMs = 1_000;
    expect(jsonOf(await upstream.call(server.origin))).toBe(2);
    expect(server.requests()).toBe(2);
  });

  it('gives up a stale connection of a pool one by one, and sends each call once', async () => {
    const server = await counting();
    let skippedMs = 0;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + skippedMs };
    const upstream = testUpstream({ clock });
    const many = () => Promise.all(Array.from({ length: 10 }, () => upstream.call(server.origin)));
    await many();
    const before = server.connections();
    skippedMs = 1_000;
    const answers = await many();
    for (const answer of answers) expect(jsonOf(answer)).toBeGreaterThan(before);
    expect(server.requests()).toBe(20);
  });
});

describe('any other call', () => {
  it('keeps its connection for longer, apart from those for starts', async () => {
    const server = await counting();
    const upstream = testUpstream();
    const connection = 'any' as const;
    expect(jsonOf(await upstream.call(server.origin, { connection }))).toBe(1);
    // undici takes a connection back a turn after the answer; a start still does not get this one.
    await pauseMs(20);
    expect(jsonOf(await upstream.call(server.origin))).toBe(2);
    await pauseMs(1_100);
    expect(jsonOf(await upstream.call(server.origin, { connection }))).toBe(1);
  });
});

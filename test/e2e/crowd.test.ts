import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../src/core/clock.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

/** Four times what waits to be accepted by Node's default, and half of what Linux allows by its own. */
const CROWD = 2_048;
/** Whoever is turned away tries again after one second and, turned away again, after two more: 1.8 s after the gateway is free. */
const BUSY_MS = 1_200;
const CONNECTED_MS_MAX = 900;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

/** Whether the system lets so many wait. */
function maySoManyWait(): boolean {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8')) >= CROWD;
  } catch {
    return false;
  }
}

interface Asked {
  /** Monotonic. */
  connectedMs: number;
  /** The status line of `/healthz`, or what became of the connection. */
  answer: string;
}

function ask(port: number): Promise<Asked> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let connectedMs = Infinity;
    let answer = '';
    socket.on('connect', () => (connectedMs = clock.monotonic()));
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
    socket.on('error', (error) => (answer = error.message));
    socket.on('close', () => resolve({ connectedMs, answer: answer.split('\r\n')[0] ?? '' }));
    socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  });
}

describe('a gateway to which a crowd comes while it is busy, as after a restart', () => {
  it.runIf(maySoManyWait())('turns nobody away, and answers each of them', async () => {
    const port = Number(new URL(gateway.url()).port);
    const asked = Array.from({ length: CROWD }, () => ask(port));
    // The gateway is in this process, so for so long it accepts nobody.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS);
    const readyMs = clock.monotonic();
    const seen = await Promise.all(asked);
    expect(seen.filter(({ answer }) => answer !== 'HTTP/1.1 200 OK')).toEqual([]);
    expect(seen.filter(({ connectedMs }) => connectedMs - readyMs > CONNECTED_MS_MAX)).toEqual([]);
  });
});

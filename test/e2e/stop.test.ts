import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const STOP_MS_MAX = 5_000;

describe('a gateway that is told to stop', () => {
  let gateway: TestGateway;
  const sockets: Socket[] = [];
  beforeEach(async () => void (gateway = await startTestGateway()));
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  it.each([
    ['says nothing', ''],
    ['has sent half a head', 'GET /runs HTTP/1.1\r\nHost: a\r\nAuthor'],
    [
      'has sent half a body',
      'POST /runs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    ],
  ])('does so although a client that is connected %s', async (_name, text) => {
    const { port, hostname } = new URL(gateway.url());
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(text);
    const begunAt = performance.now();
    await gateway.stop();
    expect(performance.now() - begunAt).toBeLessThan(STOP_MS_MAX);
  });
});

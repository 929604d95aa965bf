import { readFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { echo, failureOf, jsonOf, listen, testUpstream } from './support.ts';

// Made for these tests alone: self-signed, for the name `localhost` only.
const cert = readFileSync(new URL('./fixtures/localhost-cert.pem', import.meta.url), 'utf8');
const key = readFileSync(new URL('./fixtures/localhost-key.pem', import.meta.url), 'utf8');

describe('TLS', () => {
  const overrides = { allowPrivateNetwork: true };
  let trusted = false;

  function trust() {
    if (!trusted) setDefaultCACertificates([...getCACertificates('default'), cert]);
    trusted = true;
  }

  async function httpsServer() {
    const server = await listen(
      createHttpsServer(
        { cert, key },
        echo((request) => ({ host: request.headers.host ?? '' })),
      ),
    );
    return { ...server, named: `https://localhost:${server.port}`, numbered: `https://127.0.0.1:${server.port}` };
  }

  it('refuses a certificate that nobody vouches for', async () => {
    const { named } = await httpsServer();
    expect(await failureOf(testUpstream().call(named, overrides))).toMatchObject({ failure: 'tls', sent: false });
  });

  it('refuses it too where the environment says to accept everything', async () => {
    const { named } = await httpsServer();
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      expect(await failureOf(testUpstream().call(named, overrides))).toMatchObject({ failure: 'tls', sent: false });
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    }
  });

  it('reports a server that speaks no TLS, or hangs up, as tls', async () => {
    for (const onConnection of ['HTTP/1.1 400 Bad Request\r\n\r\n', '']) {
      const server = await listen(
        createTcpServer((socket) => socket.end(onConnection)),
        'https',
      );
      expect(await failureOf(testUpstream().call(server.origin, overrides))).toMatchObject({
        failure: 'tls',
        sent: false,
      });
    }
  });

  describe('with a trusted certificate', () => {
    beforeAll(trust);

    it('connects, and keeps the connection', async () => {
      const server = await httpsServer();
      const upstream = testUpstream();
      for (const connection of ['start', 'start'] as const) {
        const answer = await upstream.call(server.named, { ...overrides, connection });
        expect(jsonOf(answer)).toEqual({ host: `localhost:${server.port}` });
        // undici takes a connection back a turn after the answer.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(server.connections()).toBe(1);
    });

    it('refuses it for another host', async () => {
      const server = await httpsServer();
      const error = await failureOf(testUpstream().call(server.numbered, overrides));
      expect(error).toMatchObject({ failure: 'tls', sent: false });
    });
  });
});

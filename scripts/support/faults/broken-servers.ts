import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Base URLs at which no HTTP conversation comes about. */
export interface BrokenServers extends Record<string, string> {
  refused: string;
  nameless: string;
  /** An address that only the operator could allow. */
  forbidden: string;
  plain: string;
  selfSigned: string;
  hangsUp: string;
  silent: string;
  resets: string;
}

const HOST = '127.0.0.1';
const CERTIFICATES = new URL('../../../test/upstream/fixtures/', import.meta.url);

/** Starts them on loopback; they end with this process. */
export async function startBrokenServers(): Promise<BrokenServers> {
  const key = readFileSync(new URL('localhost-key.pem', CERTIFICATES));
  const cert = readFileSync(new URL('localhost-cert.pem', CERTIFICATES));
  const free = createServer();
  const refused = await portOf(free);
  free.close();
  const plain = await portOf(createHttpServer((_request, response) => response.end('{}')));
  const selfSigned = await portOf(createHttpsServer({ key, cert }, (_request, response) => response.end('{}')));
  const hangsUp = await portOf(createServer((socket) => socket.destroy()));
  const silent = await portOf(createServer(quiet));
  const resets = await portOf(createServer((socket) => quiet(socket).resetAndDestroy()));
  return {
    refused: `http://${HOST}:${refused}`,
    // RFC 6761: never a name.
    nameless: 'http://vendor.invalid',
    forbidden: `https://localhost:${selfSigned}`,
    plain: `https://${HOST}:${plain}`,
    selfSigned: `https://localhost:${selfSigned}`,
    hangsUp: `https://${HOST}:${hangsUp}`,
    silent: `https://${HOST}:${silent}`,
    resets: `http://${HOST}:${resets}`,
  };
}

function quiet(socket: Socket): Socket {
  return socket.on('error', () => {}).resume();
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, HOST).unref();
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

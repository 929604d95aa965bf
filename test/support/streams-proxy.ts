import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A request that went to a vendor. */
interface ProxiedRequest {
  /** `GET /v1/runs/x`, without its query. */
  line: string;
  /** Its connection is open: of a stream, that it is still read. */
  open: boolean;
}

/** A TCP proxy on loopback that reads the first lines of the requests it hands on. */
export interface RecordingProxy {
  origin: string;
  /** Every request whose line matches, oldest first. */
  requests(line: RegExp): ProxiedRequest[];
  /** Cuts the connections on which such a request went last. */
  cut(line: RegExp): void;
  close(): Promise<void>;
}

const REQUEST_LINE = /^(GET|POST) (\/[^ ?]*)[^ ]* HTTP\/1\.1\r$/gm;

/** Starts a proxy in front of `target`, an origin on loopback. Bodies must not have request lines in them. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const { hostname, port } = new URL(target);
  const clients = new Map<Socket, ProxiedRequest[]>();
  const all: ProxiedRequest[] = [];
  const server = createServer((client) => {
    const vendor = connect({ host: hostname, port: Number(port) });
    const own: ProxiedRequest[] = [];
    clients.set(client, own);
    client.on('data', (bytes: Buffer) => {
      for (const [, method, path] of bytes.toString('latin1').matchAll(REQUEST_LINE)) {
        const last = own.at(-1);
        if (last !== undefined) last.open = false;
        const request = { line: `${method} ${path}`, open: true };
        own.push(request);
        all.push(request);
      }
    });
    client.once('close', () => {
      for (const request of own) request.open = false;
      clients.delete(client);
      vendor.destroy();
    });
    vendor.once('close', () => client.destroy());
    client.on('error', () => vendor.destroy());
    vendor.on('error', () => client.destroy());
    client.pipe(vendor).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: (line) => all.filter((request) => line.test(request.line)),
    cut(line) {
      for (const [client, own] of clients) if (line.test(own.at(-1)?.line ?? '')) client.destroy();
    },
    async close() {
      for (const client of clients.keys()) client.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

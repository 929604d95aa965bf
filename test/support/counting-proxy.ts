import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy on loopback that knows which connections its clients keep open. */
export interface CountingProxy {
  origin: string;
  open(): number;
  close(): Promise<void>;
}

/** Starts a proxy in front of `target`, an origin on loopback. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    const vendor = connect({ host: hostname, port: Number(port) });
    clients.add(client);
    client.once('close', () => clients.delete(client) && vendor.destroy());
    vendor.once('close', () => client.destroy());
    client.on('error', () => vendor.destroy());
    vendor.on('error', () => client.destroy());
    client.pipe(vendor).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => clients.size,
    async close() {
      for (const client of clients) client.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

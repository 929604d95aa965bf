import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

/** A server on loopback that takes whatever comes and keeps it. */
export interface Receiver extends AsyncDisposable {
  origin: string;
  /** Heads and bodies, uncompressed. */
  received: Buffer[];
}

/** Answers everything with this status, and with a redirect where there is an address for it. */
export async function startReceiver(status: number, location: string | null = null): Promise<Receiver> {
  const received: Buffer[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const plain = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      received.push(Buffer.from(`${request.method} ${request.url}\n${JSON.stringify(request.headers)}\n`), plain);
      response.writeHead(status, location === null ? {} : { location }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface EchoingVault extends AsyncDisposable {
  address: string;
  /** Gives the secret out, or refuses and says what it was shown. */
  refuses: boolean;
  /** Tokens that it was shown. */
  shown: ReadonlySet<string>;
}

/** A secrets server of one secret. */
export async function startEchoingVault(secret: string): Promise<EchoingVault> {
  const shown = new Set<string>();
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const token = String(request.headers['x-vault-token']);
      shown.add(token);
      const login = /"secret_id":"([^"]+)"/.exec(body.toString())?.[1];
      if (login !== undefined) shown.add(login);
      const data = { data: { data: { api_key: secret }, metadata: { version: 1 } } };
      const said = `permission denied for token ${token}, login ${body.toString()}`;
      const fault = { errors: [said, secret, login ?? ''], [token]: token };
      response.writeHead(vault.refuses ? 403 : 200, { 'content-type': 'application/json', 'x-request-id': token });
      response.end(JSON.stringify(vault.refuses ? fault : data));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const vault: EchoingVault = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuses: false,
    shown,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return vault;
}

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { KnownSecrets } from './secrets.ts';

const GOOD = JSON.stringify({ success: true, result: 'Once upon a time there was a key.', citations: [] });
const REFUSED = JSON.stringify({ success: false, error: 'unknown key' });

/** A vendor that takes a secret only where it belongs, at `<url>/<provider>`, and answers at once. */
export interface StrictVendor extends AsyncDisposable {
  url: string;
  accepted(): number;
  /** Secrets that came and were not the provider's. */
  refused(): number;
}

/** Starts one on loopback. Its answers are those of AI Tutor. */
export async function startStrictVendor(known: KnownSecrets): Promise<StrictVendor> {
  let [accepted, refused] = [0, 0];
  const server = createServer((request, response) => {
    const provider = request.url?.split('/')[1];
    const secret = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    const isGood = known.get(secret) === provider;
    if (isGood) accepted += 1;
    else refused += 1;
    request.resume();
    request.on('end', () => {
      response.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' }).end(isGood ? GOOD : REFUSED);
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the vendor has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    accepted: () => accepted,
    refused: () => refused,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/**
 * A vendor that costs as little as it can: one documented AI Tutor answer for everything, at once or after the
 * milliseconds that it is given. Prints its port.
 */
import { createServer } from 'node:http';

const BODY = JSON.stringify({ success: true, result: 'Once upon a time there was a gateway.', citations: [] });
const HEAD = {
  'content-type': 'application/json',
  'content-length': Buffer.byteLength(BODY),
  'x-ratelimit-limit': '1000',
  'x-ratelimit-remaining': '999',
};

const latencyMs = Number(process.argv[2] ?? 0);

const server = createServer((request, response) => {
  const answer = () => response.writeHead(200, HEAD).end(BODY);
  request.resume();
  request.on('end', () => (latencyMs > 0 ? setTimeout(answer, latencyMs) : answer()));
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(JSON.stringify({ port: typeof address === 'object' ? address?.port : null }));
});

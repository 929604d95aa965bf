/** AI Tutor's token step and stream: `argv[2]` pieces of text, one every `argv[3]` ms. Prints its port. */
import { createServer } from 'node:http';

const pieces = Number(process.argv[2] ?? 200);
const gapMs = Number(process.argv[3] ?? 20);

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    if (request.method === 'GET') {
      const body = JSON.stringify({ success: true, token: 'pub_tok_0123456789abcdef', ttl: 60 });
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    }
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
    let left = pieces;
    const timer = setInterval(() => {
      response.write('a word or two, ');
      if (--left > 0) return;
      clearInterval(timer);
      response.end();
    }, gapMs);
    response.on('close', () => clearInterval(timer));
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(JSON.stringify({ port: typeof address === 'object' ? address?.port : null }));
});

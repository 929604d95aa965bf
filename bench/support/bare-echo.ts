/** What streaming is measured beside: Fastify that turns a vendor's text stream into SSE, and stores nothing. Prints its port. */
import fastify from 'fastify';
import { Pool } from 'undici';

const pool = new Pool(process.argv[2] ?? '', { connections: 1_000 });
const app = fastify();
app.post('/echo', async (_request, reply) => {
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
  const { body } = await pool.request({ path: '/api/v1/run/x/stream?token=t', method: 'POST', body: '{}' });
  const decoder = new TextDecoder();
  let id = 0;
  for await (const chunk of body) {
    const data = JSON.stringify({ text: decoder.decode(chunk as Buffer, { stream: true }) });
    reply.raw.write(`id: ${++id}\nevent: delta\ndata: ${data}\n\n`);
  }
  reply.raw.end();
});
await app.listen({ port: 0, host: '127.0.0.1' });
const address = app.server.address();
console.log(JSON.stringify({ port: typeof address === 'object' ? address?.port : null }));

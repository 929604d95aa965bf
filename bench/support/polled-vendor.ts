/** Draft & Goal as it answers: a start at once, and 250 to every poll until `/end` was asked for. Prints its port. */
import { createServer } from 'node:http';

let runs = 0;
let polls = 0;
let ended = false;
const RUNNING = JSON.stringify({ message: 'Workflow Run generation on the way...' });
const DONE = JSON.stringify({
  success: true,
  data: { state: 'DONE', error: null, completed_steps: [], failed_steps: [] },
});

const server = createServer((request, response) => {
  const answer = (status: number, body: string) =>
    response
      .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      .end(body);
  request.resume();
  request.on('end', () => {
    const path = request.url ?? '';
    if (path === '/polls') return answer(200, JSON.stringify({ polls, runs }));
    if (path === '/end' || path === '/begin') {
      ended = path === '/end';
      return answer(200, '{}');
    }
    if (request.method === 'POST') {
      const id = `00000000-0000-4000-8000-${String(++runs).padStart(12, '0')}`;
      return answer(200, JSON.stringify({ success: true, data: { id, message: 'started' } }));
    }
    polls++;
    return ended ? answer(200, DONE) : answer(250, RUNNING);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(JSON.stringify({ port: typeof address === 'object' ? address?.port : null }));
});

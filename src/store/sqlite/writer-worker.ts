import { parentPort } from 'node:worker_threads';
import { openWriterConnection } from './connection.ts';
import type { Operation } from './operations.ts';
import { plainReply, type WriterAnswer, type WriterOpening, type WriterRequest } from './worker-transport.ts';
import { createWriterSession, type WriterSession } from './writer-session.ts';

// The entry of the writer's thread: the one module of the store that does something when it is loaded.
const port = parentPort;
if (port === null) throw new Error('writer-worker.ts runs in a worker thread only');
let session: WriterSession | null = null;

port.on('message', (message: WriterOpening | WriterRequest) => {
  if ('open' in message) {
    session = createWriterSession({ connect: () => openWriterConnection(message.open) });
    return;
  }
  if (session === null) throw new Error('the first message names the database');
  let answer: WriterAnswer = null;
  if (message.ask === 'run') answer = plainReply(session.run(message.batch as Operation[]));
  else if (message.ask === 'dataVersion') answer = session.dataVersion();
  else session.close();
  port.postMessage(answer);
  if (message.ask === 'close') port.close();
});

import { parentPort, workerData } from 'node:worker_threads';
import { openWriterConnection, type DatabaseFile } from './connection.ts';
import type { Operation } from './operations.ts';
import { plainReply, type WriterAnswer, type WriterRequest } from './worker-transport.ts';
import { createWriterSession } from './writer-session.ts';

// The entry of the writer's thread: the one module of the store that does something when it is loaded.
const port = parentPort;
if (port === null) throw new Error('writer-worker.ts runs in a worker thread only');
const session = createWriterSession({ connect: () => openWriterConnection(workerData as DatabaseFile) });

port.on('message', (request: WriterRequest) => {
  let answer: WriterAnswer = null;
  if (request.ask === 'run') answer = plainReply(session.run(request.batch as Operation[]));
  else if (request.ask === 'dataVersion') answer = session.dataVersion();
  else session.close();
  port.postMessage(answer);
  if (request.ask === 'close') port.close();
});

import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';

/** A thread that writes for a store, from its first message on, which names the database. */
export type WriterThread = Worker;

/** Published builds hold `.js` files; the source runs as it is. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './sqlite/writer-worker.ts' : './sqlite/writer-worker.js',
  import.meta.url,
);

/**
 * Begins a writer's thread. It takes as long to load as half of a gateway does, so it may be begun before there is a store to
 * hand it to; until then it keeps no process alive.
 */
export function startWriterThread(entry = ENTRY): WriterThread {
  const thread = new Worker(entry, { name: 'store-writer', env: writerEnvironment() });
  thread.unref();
  // Whoever uses a thread that has ended finds that out; here it would only end the process.
  thread.on('error', () => undefined);
  return thread;
}

/** Whether it can still be used. */
export function isAlive(thread: WriterThread): boolean {
  return thread.threadId !== -1;
}

/** No secret of the process's environment, but the compile cache, which a thread is told of in no other way. */
function writerEnvironment(): Record<string, string> {
  const cache = getCompileCacheDir();
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) };
}

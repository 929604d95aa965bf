import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';

/** A thread that writes for a store, from its first message on, which names the database. */
export interface WriterThread {
  readonly worker: Worker;
  /** Why it can be used no more; null: it can. */
  fault: unknown;
}

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
  const worker = new Worker(entry, { name: 'store-writer', env: writerEnvironment() });
  worker.unref();
  const thread: WriterThread = { worker, fault: null };
  worker.on('error', (error) => (thread.fault = error));
  worker.on('exit', () => (thread.fault ??= new Error('the writer thread ended')));
  return thread;
}

/** No secret of the process's environment, but the compile cache, which a thread is told of in no other way. */
function writerEnvironment(): Record<string, string> {
  const cache = getCompileCacheDir();
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) };
}

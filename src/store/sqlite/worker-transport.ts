import { startWriterThread, type WriterThread } from '../writer-thread.ts';
import type { DatabaseFile } from './connection.ts';
import type { OperationResult } from './operations.ts';
import type { BatchReply } from './writer-session.ts';
import type { WriterTransport } from './writer-transport.ts';

/** The main thread's first message to a writer's. */
export interface WriterOpening {
  open: DatabaseFile;
}
/** What the main thread sends from then on; the answers come back in the same order. */
export type WriterRequest = { ask: 'run'; batch: unknown[] } | { ask: 'dataVersion' } | { ask: 'close' };
export type WriterAnswer = BatchReply | PlainReply | number | null;

/** A batch in which nothing went wrong, as nearly every one: bare values cost a sixth of outcomes to hand over. */
export interface PlainReply {
  values: OperationResult[];
}

/**
 * Batches begin at least this far apart. A busy gateway would otherwise commit two or three runs at a time, and each
 * batch costs two messages between the threads and a transaction; one that comes alone goes at once.
 */
const BATCH_GAP_MS = 2;

interface Waiting {
  resolve(answer: WriterAnswer): void;
  reject(cause: unknown): void;
}

export interface WorkerTransportParts {
  file: DatabaseFile;
  /** What a thread runs; none: the writer. */
  entry?: URL;
  /** The first thread; none: it is begun here, as all others are. */
  thread?: WriterThread | undefined;
}

/** Writes on a worker thread, so that no fsync holds the event loop. A thread that dies is replaced when next needed. */
export function createWorkerTransport({ file, entry, thread: first }: WorkerTransportParts): WriterTransport {
  let thread: WriterThread | null = null;
  const waiting: Waiting[] = [];
  let begunMs = -Infinity;

  function use(made: WriterThread): WriterThread {
    made.worker.ref();
    made.worker.on('message', (answer: WriterAnswer) => waiting.shift()?.resolve(answer));
    made.worker.on('exit', () => {
      if (thread === made) thread = null;
      for (const one of waiting.splice(0)) one.reject(made.fault);
    });
    const opening: WriterOpening = { open: file };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    made.worker.postMessage(opening);
    return made;
  }

  function ask(request: WriterRequest): Promise<WriterAnswer> {
    const { worker } = (thread ??= use(startWriterThread(entry)));
    return new Promise((resolve, reject) => {
      // In this order: what cannot be sent must not wait for an answer.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage(request);
      waiting.push({ resolve, reject });
    });
  }

  thread = use(first?.fault === null ? first : startWriterThread(entry));
  return {
    execute: async (batch) => {
      begunMs = performance.now();
      return fullReply((await ask({ ask: 'run', batch })) as BatchReply | PlainReply);
    },
    dataVersion: () => ask({ ask: 'dataVersion' }) as Promise<number | null>,
    defer(flush) {
      const waitMs = begunMs + BATCH_GAP_MS - performance.now();
      if (waitMs > 0) setTimeout(flush, waitMs);
      else setImmediate(flush);
    },
    async close() {
      const last = thread;
      if (last === null) return;
      const ended = new Promise((resolve) => last.worker.once('exit', resolve));
      // A thread that dies of it is as good as closed: what it had committed is on disk.
      await ask({ ask: 'close' }).catch(() => null);
      await ended;
    },
  };
}

/** What the writer's thread sends of a reply. */
export function plainReply(reply: BatchReply): BatchReply | PlainReply {
  if (reply.reopened) return reply;
  const values: OperationResult[] = [];
  for (const outcome of reply.outcomes) {
    if (!outcome.ok) return reply;
    values.push(outcome.value);
  }
  return { values };
}

function fullReply(reply: BatchReply | PlainReply): BatchReply {
  if (!('values' in reply)) return reply;
  return { outcomes: reply.values.map((value) => ({ ok: true, value })), reopened: false };
}

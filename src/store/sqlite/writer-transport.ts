import type { Operation } from './operations.ts';
import type { BatchReply, WriterSession } from './writer-session.ts';

/** Where the writing connection lives, seen from the main thread. One batch at a time. */
export interface WriterTransport {
  execute(batch: Operation[]): Promise<BatchReply>;
  dataVersion(): Promise<number | null>;
  /** Calls `flush` when the operations of this turn of the event loop, or of a moment more, have gathered. */
  defer(flush: () => void): void;
  close(): Promise<void>;
}

/** Writes on the thread that asks. Uses no timer, so a simulation decides every order. */
export function createInlineTransport(session: WriterSession): WriterTransport {
  return {
    execute: (batch) => Promise.resolve(session.run(batch)),
    dataVersion: () => Promise.resolve(session.dataVersion()),
    defer: (flush) => queueMicrotask(flush),
    close: () => Promise.resolve(session.close()),
  };
}

import type { Connection } from './connection.ts';
import { prepareReads, type ReadStatements } from './read-statements.ts';
import { faultOf, storeError } from './store-errors.ts';

/** Reads on the caller's thread: a point read costs 3 µs here, and twenty times that through a worker. */
export interface Reader {
  /** Runs `use` with the prepared statements; a failure closes the connection, and the next read opens another. */
  read<T>(use: (statements: ReadStatements) => T): T;
  /** The writer had to reopen: the file may be another one. */
  invalidate(): void;
  close(): void;
}

export function createReader({ connect }: { connect: () => Connection }): Reader {
  let live: { connection: Connection; statements: ReadStatements } | null = null;
  let closed = false;

  function disconnect(): void {
    try {
      live?.connection.close();
    } catch {
      // Nothing of value is in a reading connection.
    }
    live = null;
  }

  return {
    read(use) {
      try {
        if (closed) throw new Error('the store is closed');
        if (live === null) {
          const connection = connect();
          live = { connection, statements: prepareReads(connection.db) };
        }
        return use(live.statements);
      } catch (error) {
        disconnect();
        throw storeError(faultOf(error));
      }
    },
    invalidate: disconnect,
    close() {
      closed = true;
      disconnect();
    },
  };
}

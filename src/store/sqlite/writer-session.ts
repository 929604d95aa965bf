import type { Connection } from './connection.ts';
import { createExecutor, type Executor } from './execute-operation.ts';
import type { Operation, OperationResult } from './operations.ts';
import { DatabaseMovedError, faultOf, isMistake, SQLITE, type StoreFault } from './store-errors.ts';

export type Outcome = { ok: true; value: OperationResult } | { ok: false; fault: StoreFault };

export interface BatchReply {
  /** One for each operation, in order. */
  outcomes: Outcome[];
  /** The connection is another one than the batch before had: readers open theirs anew too. */
  reopened: boolean;
}

/** The one writing connection. Lives in the worker thread, or beside its caller. */
export interface WriterSession {
  /** Executes a batch in one transaction; when it returns, every `ok` is on disk. Never throws. */
  run(batch: readonly Operation[]): BatchReply;
  /** Changes when another process has committed; null while there is no connection. */
  dataVersion(): number | null;
  close(): void;
}

/**
 * States: connected, or not. A fault that makes the connection doubtful closes it, and the next batch opens
 * another, so service comes back by itself with the disk.
 * Invariant: no transaction is open between two calls.
 */
export function createWriterSession({ connect }: { connect: () => Connection }): WriterSession {
  let live: { connection: Connection; executor: Executor } | null = null;
  let opened = 0;

  function disconnect(): void {
    try {
      live?.connection.close();
    } catch {
      // The file is beyond help already; the fault that led here has been reported.
    }
    live = null;
  }

  function transact(batch: readonly Operation[]): OperationResult[] {
    if (live === null) {
      const connection = connect();
      live = { connection, executor: createExecutor(connection.db) };
      opened++;
    }
    const { connection, executor } = live;
    connection.check();
    connection.db.exec('BEGIN IMMEDIATE');
    try {
      const results = batch.map((operation) => executor.execute(operation));
      connection.db.exec('COMMIT');
      return results;
    } catch (error) {
      if (connection.db.isTransaction) connection.db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Returns the fault that leaves no hope for the operations behind it, if it is one. */
  function attempt(batch: readonly Operation[], outcomes: Outcome[]): StoreFault | null {
    try {
      for (const value of transact(batch)) outcomes.push({ ok: true, value });
      return null;
    } catch (error) {
      const fault = faultOf(error);
      const weight = error instanceof DatabaseMovedError ? 'wait' : weigh(fault);
      if (weight === 'connection') disconnect();
      if (batch.length === 1 || weight === 'wait') {
        for (const _ of batch) outcomes.push({ ok: false, fault });
        return weight === 'operation' ? null : fault;
      }
      return replay(batch, outcomes);
    }
  }

  /** One by one, so that an operation that cannot be done harms nobody beside it. */
  function replay(batch: readonly Operation[], outcomes: Outcome[]): StoreFault | null {
    let hopeless: StoreFault | null = null;
    for (const operation of batch) {
      if (hopeless === null) hopeless = attempt([operation], outcomes);
      else outcomes.push({ ok: false, fault: hopeless });
    }
    return hopeless;
  }

  return {
    run(batch) {
      const openedBefore = opened;
      const outcomes: Outcome[] = [];
      attempt(batch, outcomes);
      return { outcomes, reopened: opened !== openedBefore };
    },
    dataVersion() {
      if (live === null) return null;
      try {
        return Number(Object.values(live.connection.db.prepare('PRAGMA data_version').get() ?? {})[0]);
      } catch {
        return null;
      }
    },
    close: disconnect,
  };
}

/**
 * `operation`: this one cannot be done (a broken rule, or too large for what the disk has left), others may.
 * `wait`: another process holds the lock, or the file is elsewhere for now. `connection`: anything else; the connection is not to be trusted.
 */
function weigh(fault: StoreFault): 'operation' | 'wait' | 'connection' {
  if (isMistake(fault) || fault.sqliteCode === SQLITE.FULL) return 'operation';
  if (fault.sqliteCode === SQLITE.BUSY || fault.sqliteCode === SQLITE.LOCKED) return 'wait';
  return 'connection';
}

import { GatewayError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Operation, OperationName, OperationResult, OperationResults, Operations } from './operations.ts';
import { storeError, type StoreFault } from './store-errors.ts';
import type { Outcome } from './writer-session.ts';
import type { WriterTransport } from './writer-transport.ts';

/** Operations that share one commit at most: other processes get their turn at the lock in between. */
const BATCH_OPERATIONS_MAX = 512;
/** Characters that share one commit at most. */
const BATCH_CHARACTERS_MAX = 16_000_000;

/** Operations that shared a commit, and how long it took from their hand-over to the writer. */
export interface CommitSample {
  operations: number;
  ms: number;
}

export interface WriterLimits {
  /** Operations that wait at most. */
  queueOperationsMax: number;
  /** Characters that wait at most, in all operations together. */
  queueCharactersMax: number;
}

export interface Writer {
  /** Resolves when the operation is on disk. Throws `GatewayError` `store_unavailable` (or `internal` for a broken rule). */
  write<K extends OperationName>(name: K, ...args: Operations[K]): Promise<OperationResults[K]>;
  /** Operations that wait. */
  queued(): number;
  dataVersion(): Promise<number | null>;
  /** Refuses what comes from now on, waits for what came before. */
  close(): Promise<void>;
}

interface Pending {
  operation: Operation;
  characters: number;
  resolve(value: OperationResult): void;
  reject(error: GatewayError): void;
}

/**
 * Group commit. Operations wait in a queue; what one turn of the event loop brings, and what gathers while
 * the disk is busy, goes to the writer as one batch and shares one fsync. At most one batch is under way,
 * so the busier the disk, the larger the groups.
 *
 * States: idle, scheduled (a flush will come at the end of the turn), busy (a batch is under way); closed.
 * Invariant: each queued operation is settled exactly once.
 */
export function createWriter(parts: {
  transport: WriterTransport;
  limits: WriterLimits;
  log: Log;
  /** The writer has a new connection. */
  onReopened: () => void;
  /** A batch, or some of it, is on disk. */
  onCommitted: (sample: CommitSample) => void;
}): Writer {
  const { transport, limits } = parts;
  const health = createHealth(parts.log);
  let queue: Pending[] = [];
  let queuedCharacters = 0;
  let state: 'idle' | 'scheduled' | 'busy' = 'idle';
  let closed = false;
  let idle: (() => void)[] = [];

  function schedule(): void {
    state = 'scheduled';
    transport.defer(() => void flush());
  }

  async function flush(): Promise<void> {
    state = 'busy';
    const batch = takeBatch();
    const begunAt = performance.now();
    const outcomes = await execute(batch);
    const ms = performance.now() - begunAt;
    batch.forEach((pending, i) => settle(pending, outcomes[i]));
    if (queue.length > 0) schedule();
    else {
      state = 'idle';
      for (const done of idle.splice(0)) done();
    }
    const operations = outcomes.filter(({ ok }) => ok).length;
    if (operations > 0) parts.onCommitted({ operations, ms });
  }

  function takeBatch(): Pending[] {
    let count = 0;
    let characters = 0;
    while (count < queue.length && count < BATCH_OPERATIONS_MAX) {
      const next = queue[count]?.characters ?? 0;
      if (count > 0 && characters + next > BATCH_CHARACTERS_MAX) break;
      characters += next;
      count++;
    }
    queuedCharacters -= characters;
    if (count === queue.length) {
      const all = queue;
      queue = [];
      return all;
    }
    return queue.splice(0, count);
  }

  async function execute(batch: Pending[]): Promise<Outcome[]> {
    try {
      const reply = await transport.execute(batch.map((pending) => pending.operation));
      if (reply.reopened) parts.onReopened();
      return reply.outcomes;
    } catch (error) {
      const fault: StoreFault = { message: error instanceof Error ? error.message : String(error), sqliteCode: null };
      return batch.map(() => ({ ok: false, fault }));
    }
  }

  function settle(pending: Pending, outcome: Outcome | undefined): void {
    if (outcome?.ok) {
      health.worked();
      return pending.resolve(outcome.value);
    }
    const error = storeError(outcome?.fault ?? { message: 'the writer gave no answer', sqliteCode: null });
    health.failed(error);
    pending.reject(error);
  }

  return {
    write<K extends OperationName>(name: K, ...args: Operations[K]): Promise<OperationResults[K]> {
      if (closed) return Promise.reject(refusal('the store is closed'));
      const operation = [name, ...args] as unknown as Operation;
      const characters = charactersOf(args);
      if (queue.length >= limits.queueOperationsMax || queuedCharacters + characters > limits.queueCharactersMax) {
        return Promise.reject(refusal('too many writes are waiting for the disk'));
      }
      return new Promise((resolve, reject) => {
        queue.push({ operation, characters, resolve: resolve as Pending['resolve'], reject });
        queuedCharacters += characters;
        if (state === 'idle') schedule();
      });
    },
    queued: () => queue.length,
    dataVersion: () => (closed ? Promise.resolve(null) : transport.dataVersion()),
    async close() {
      if (closed) return;
      closed = true;
      if (state !== 'idle') await new Promise<void>((resolve) => idle.push(resolve));
      await transport.close();
    },
  };
}

/** Length of the texts in an operation's arguments, and in the arrays among them: where payloads are. */
function charactersOf(args: readonly unknown[]): number {
  let characters = 0;
  for (const arg of args) {
    if (typeof arg === 'string') characters += arg.length;
    else if (Array.isArray(arg)) for (const value of arg) if (typeof value === 'string') characters += value.length;
  }
  return characters;
}

function refusal(reason: string): GatewayError {
  return new GatewayError('store_unavailable', { cause: new Error(reason) });
}

/** One line when the store begins to fail and one when it is back, not one for each write. */
function createHealth(log: Log): { worked(): void; failed(error: GatewayError): void } {
  let failing = false;
  return {
    worked() {
      if (failing) log.info({}, 'the store takes writes again');
      failing = false;
    },
    failed(error) {
      if (error.code === 'internal') log.error({ err: error.cause }, 'a write broke a rule of the store');
      else if (!failing) log.error({ err: error.cause }, 'the store fails; each next write tries again');
      failing ||= error.code !== 'internal';
    },
  };
}

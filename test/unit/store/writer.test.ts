import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogFields } from '../../../src/core/log.ts';
import { identify, openWriterConnection, type DatabaseFile } from '../../../src/store/sqlite/connection.ts';
import { migrate } from '../../../src/store/sqlite/migrate.ts';
import type { Operation } from '../../../src/store/sqlite/operations.ts';
import { createWorkerTransport } from '../../../src/store/sqlite/worker-transport.ts';
import { createWriterSession, type BatchReply } from '../../../src/store/sqlite/writer-session.ts';
import type { WriterTransport } from '../../../src/store/sqlite/writer-transport.ts';
import { createWriter } from '../../../src/store/sqlite/writer.ts';
import { startWriterThread } from '../../../src/store/writer-thread.ts';
import { silentLog } from '../../contract/store/open-test-store.ts';

const LIMITS = { queueOperationsMax: 1_000, queueCharactersMax: 1_000_000 };
const beat = (owner: string): Operation => ['run', 'beat', [owner, 1]];

describe('a writer session', () => {
  let directory: string;
  let file: DatabaseFile;
  let live: DatabaseSync | null;
  let connections: number;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'rungate-writer-'));
    const path = join(directory, 'rungate.db');
    writeFileSync(path, '');
    file = identify(path);
    connections = 0;
    live = null;
    const made = openWriterConnection(file);
    migrate(made.db);
    made.close();
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const session = () =>
    createWriterSession({
      connect() {
        const connection = openWriterConnection(file);
        connections++;
        live = connection.db;
        return connection;
      },
    });

  const kinds = (reply: BatchReply) => reply.outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.fault.sqliteCode));

  it('does what fits while the disk is full, and all of it when there is room', () => {
    const writer = session();
    writer.run([beat('first')]);
    const large = (id: string): Operation => [
      'run',
      'insertCredential',
      [id, 'p', null, 'api', new Uint8Array(1e5), 1, 1],
    ];
    // Less than the file has already: not a page more.
    live?.exec('PRAGMA max_page_count = 1');
    expect(kinds(writer.run([beat('a'), large('one'), beat('b'), large('two')]))).toEqual(['ok', 13, 'ok', 13]);
    expect(kinds(writer.run([large('one')]))).toEqual([13]);
    live?.exec('PRAGMA max_page_count = 4294967294');
    expect(kinds(writer.run([large('one'), large('two')]))).toEqual(['ok', 'ok']);
    expect(connections).toBe(1);
    writer.close();
  });

  it('undoes all of an operation that breaks a rule half way', () => {
    const writer = session();
    const run = [
      ...Array.from({ length: 3 }, () => 'r'),
      'queued',
      'l',
      null,
      'p',
      'w',
      null,
      null,
      null,
      null,
      'k',
      '{}',
      '{}',
      '',
      '',
    ];
    run[1] = 1 as never;
    run[2] = 1 as never;
    const claim = ['l', '', 'k', 'r', 'f', 1, 0] as const;
    const create: Operation = ['create', run, claim, new Uint8Array(1) as never, null, null, null];
    expect(kinds(writer.run([beat('a'), create, beat('b')]))).toEqual(['ok', 19, 'ok']);
    expect(live?.prepare('SELECT count(*) AS n FROM runs').get()).toEqual({ n: 0 });
    expect(live?.prepare('SELECT count(*) AS n FROM idempotency').get()).toEqual({ n: 0 });
    expect(live?.prepare('SELECT count(*) AS n FROM owners').get()).toEqual({ n: 2 });
    writer.close();
  });

  it('opens another connection after a fault that leaves the old one doubtful', () => {
    const writer = session();
    expect(writer.run([beat('a')]).reopened).toBe(true);
    expect(writer.run([beat('a')]).reopened).toBe(false);
    live?.close();
    const reply = writer.run([beat('b'), beat('c')]);
    expect(kinds(reply)).toEqual(['ok', 'ok']);
    expect(reply.reopened).toBe(true);
    expect(connections).toBe(2);
    writer.close();
  });

  it('fails a whole batch at once while another process holds the lock', () => {
    const writer = session();
    writer.run([beat('a')]);
    const other = openWriterConnection(file);
    other.db.exec('BEGIN IMMEDIATE');
    live?.exec('PRAGMA busy_timeout = 1');
    expect(kinds(writer.run([beat('b'), beat('c')]))).toEqual([5, 5]);
    other.db.exec('COMMIT');
    expect(kinds(writer.run([beat('b'), beat('c')]))).toEqual(['ok', 'ok']);
    other.close();
    writer.close();
  });

  it('gives a large rest of free pages back to the disk', () => {
    const writer = session();
    const large = (i: number): Operation => [
      'run',
      'insertCredential',
      [`c${i}`, 'p', null, 'api', new Uint8Array(1e6), 1, 1],
    ];
    writer.run(Array.from({ length: 20 }, (_, i) => large(i)));
    expect(writer.run([['vacuum']]).outcomes).toEqual([{ ok: true, value: 0 }]);
    writer.run(Array.from({ length: 20 }, (_, i): Operation => ['removeCredential', `c${i}`]));
    expect(writer.run([['vacuum']]).outcomes).toEqual([{ ok: true, value: 512 }]);
    writer.close();
  });

  it.each([
    ['that was begun before it', undefined, true],
    ['of its own, where that one has ended', new URL('./ends-at-once.ts', import.meta.url), false],
  ])('writes by a thread %s', async (_which, entry, isUsed) => {
    const thread = startWriterThread(entry);
    const ended = once(thread.worker, 'exit');
    if (!isUsed) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      thread.worker.postMessage('end');
      await ended;
    }
    const writer = createWriter({
      transport: createWorkerTransport({ file, thread }),
      limits: LIMITS,
      log: silentLog,
      onReopened() {},
      onCommitted() {},
    });
    expect(await writer.write('run', 'beat', ['a', 1])).toBe(1);
    await writer.close();
    await ended;
  });

  it('survives the death of its thread', async () => {
    const dying = createWriter({
      transport: createWorkerTransport({ file, entry: new URL('./ends-at-once.ts', import.meta.url) }),
      limits: LIMITS,
      log: silentLog,
      onReopened() {},
      onCommitted() {},
    });
    await expect(dying.write('run', 'beat', ['a', 1])).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(dying.write('run', 'beat', ['a', 1])).rejects.toMatchObject({ code: 'store_unavailable' });
    await dying.close();
  });
});

describe('group commit', () => {
  /** A writer whose commits end when the test says so. */
  function createSlowWriter(limits = LIMITS) {
    const batches: Operation[][] = [];
    const lines: [level: string, message: string][] = [];
    let answer: (reply: BatchReply | Error) => void = () => {};
    const transport: WriterTransport = {
      execute(batch) {
        batches.push(batch);
        return new Promise((resolve, reject) => {
          answer = (reply) => (reply instanceof Error ? reject(reply) : resolve(reply));
        });
      },
      dataVersion: () => Promise.resolve(1),
      defer: (flush) => queueMicrotask(flush),
      close: () => Promise.resolve(),
    };
    const note = (level: string) => (_fields: LogFields, message: string) => void lines.push([level, message]);
    const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
    const committed: number[] = [];
    const onCommitted = ({ operations }: { operations: number }) => void committed.push(operations);
    const writer = createWriter({ transport, limits, log, onReopened() {}, onCommitted });
    const commit = (fails = false) => {
      const size = batches.at(-1)?.length ?? 0;
      answer({
        reopened: false,
        outcomes: Array.from({ length: size }, () =>
          fails ? { ok: false, fault: { message: 'full', sqliteCode: 13 } } : { ok: true, value: 1 },
        ),
      });
    };
    const breakDown = () => answer(new Error('the writer thread ended'));
    return { writer, batches, lines, committed, commit, breakDown, beat: () => writer.write('run', 'beat', ['a', 1]) };
  }

  it('puts what one turn brings into one batch, and what gathers meanwhile into the next', async () => {
    const { batches, commit, beat } = createSlowWriter();
    const first = [beat(), beat(), beat()];
    await Promise.resolve();
    const second = [beat(), beat()];
    expect(batches.map((batch) => batch.length)).toEqual([3]);
    commit();
    await Promise.all(first);
    await Promise.resolve();
    expect(batches.map((batch) => batch.length)).toEqual([3, 2]);
    commit();
    expect(await Promise.all(second)).toEqual([1, 1]);
  });

  it('resolves nothing before its commit', async () => {
    const { commit, beat } = createSlowWriter();
    let done = false;
    const write = beat().then(() => (done = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toBe(false);
    commit();
    await write;
    expect(done).toBe(true);
  });

  it('bounds what waits by number and by size', async () => {
    const { writer, commit, beat } = createSlowWriter({ queueOperationsMax: 3, queueCharactersMax: 100 });
    const under = beat();
    await Promise.resolve();
    const large = (length: number) => writer.write('create', ['id'], null, 'x'.repeat(length), null, null, null);
    const fits = large(80);
    await expect(large(30)).rejects.toMatchObject({ code: 'store_unavailable' });
    const more = [beat(), beat()];
    await expect(beat()).rejects.toMatchObject({ code: 'store_unavailable' });
    commit();
    await under;
    await Promise.resolve();
    commit();
    await Promise.all([fits, ...more]);
  });

  it('settles everything when the thread dies, and waits for what is under way when it closes', async () => {
    const { writer, batches, commit, breakDown, beat } = createSlowWriter();
    const lost = beat();
    await Promise.resolve();
    breakDown();
    await expect(lost).rejects.toMatchObject({ code: 'store_unavailable' });
    const last = beat();
    const closed = writer.close();
    await expect(beat()).rejects.toMatchObject({ code: 'store_unavailable' });
    await Promise.resolve();
    expect(batches).toHaveLength(2);
    commit();
    await Promise.all([last, closed]);
  });

  it('logs the beginning and the end of a failure, not each write', async () => {
    const { lines, committed, commit, beat } = createSlowWriter();
    for (const fails of [false, true, true, true, false, false]) {
      const writes = Promise.allSettled([beat(), beat()]);
      await Promise.resolve();
      commit(fails);
      await writes;
    }
    expect(lines).toEqual([
      ['error', 'the store fails; each next write tries again'],
      ['info', 'the store takes writes again'],
    ]);
    // Nobody hears of a commit that was none.
    expect(committed).toEqual([2, 2, 2]);
  });
});

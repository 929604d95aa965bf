import { closeSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pause } from '../../core/clock.ts';
import { exists, hasCode, makeDirectory } from '../../core/durable-files.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Store, StoreLimits, StoreOptions } from '../open-store.ts';
import { createAuditStore } from './audit-store.ts';
import {
  identify,
  MEMORY,
  openReaderConnection,
  openWriterConnection,
  type Connection,
  type DatabaseFile,
} from './connection.ts';
import { createCredentialStore } from './credential-store.ts';
import { createHints } from './hints.ts';
import { createKeyStore } from './key-store.ts';
import { migrate, schemaState } from './migrate.ts';
import { createReader } from './reader.ts';
import { createRunStore } from './run-store.ts';
import { createSealedStore } from './sealed-store.ts';
import { tryServeLock, type ServeLock } from './serve-lock.ts';
import { createSigningKeyStore } from './signing-key-store.ts';
import { openError } from './store-errors.ts';
import { createWebhookSecretStore } from './webhook-secret-store.ts';
import { createWorkerTransport } from './worker-transport.ts';
import { createWriter } from './writer.ts';
import { createWriterSession } from './writer-session.ts';
import { createInlineTransport } from './writer-transport.ts';

const LOCK_RETRY_MS = 50;

export type SqliteOptions = Required<StoreOptions> & { path: string; limits: StoreLimits };

/** Opens the file, making and migrating it where needed. Throws as `openStore` does. */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  try {
    if (options.path === MEMORY) return assemble(options, inMemory());
    if (options.absent === 'make') createFile(options.path);
    else if (!exists(options.path)) throw openError(noDatabase(options.path));
    const file = identify(options.path);
    const lock = await prepareFile(options, file);
    return assemble(options, onDisk(file, lock));
  } catch (error) {
    if (error instanceof GatewayError || (options.stop?.aborted && error === options.stop.reason)) throw error;
    throw openError('The database file cannot be opened. Look at the path, its rights and the disk.', error);
  }
}

interface Place {
  writing: () => Connection;
  reading: () => Connection;
  /** Null: another thread cannot see it. */
  file: DatabaseFile | null;
  /** Runs last. */
  release(): void;
}

function onDisk(file: DatabaseFile, lock: ServeLock | null): Place {
  return {
    writing: () => openWriterConnection(file),
    reading: () => openReaderConnection(file),
    file,
    release: () => lock?.release(),
  };
}

/** One connection for everything: operations never interleave on one thread. */
function inMemory(): Place {
  const db = new DatabaseSync(MEMORY);
  migrate(db);
  const shared = (): Connection => ({ db, check() {}, close() {} });
  return { writing: shared, reading: shared, file: null, release: () => db.close() };
}

function assemble(options: SqliteOptions, place: Place): Store {
  const { clock, log, limits } = options;
  const reader = createReader({ connect: place.reading });
  const transport =
    options.writer === 'worker' && place.file !== null
      ? createWorkerTransport({ file: place.file, thread: options.writerThread })
      : createInlineTransport(createWriterSession({ connect: place.writing }));
  const writer = createWriter({
    transport,
    limits,
    log,
    onReopened: () => reader.invalidate(),
    onCommitted: options.onCommitted,
  });
  const hints = createHints({
    clock,
    log,
    intervalMs: limits.watchIntervalMs,
    dataVersion: () => writer.dataVersion(),
  });
  let closing: Promise<void> | null = null;
  const alone = options.role === 'serve';
  return {
    runs: createRunStore({ writer, reader, hints, clock, alone, idempotencyMs: limits.idempotencyMs }),
    keys: createKeyStore({ writer, reader }),
    credentials: createCredentialStore({ writer, reader, clock }),
    webhookSecrets: createWebhookSecretStore({ writer, reader, clock }),
    signingKeys: createSigningKeyStore({ writer, reader }),
    sealed: createSealedStore({ writer, reader }),
    audit: createAuditStore({ writer, reader }),
    queuedWrites: () => writer.queued(),
    async check() {
      reader.read((statements) => statements.masterKeys.all());
      await writer.write('run', 'probe', [clock.now()]);
    },
    close: () => (closing ??= close()),
  };

  async function close(): Promise<void> {
    hints.close();
    try {
      await writer.close();
    } finally {
      reader.close();
      place.release();
    }
  }
}

/** The files hold what callers sent, so nobody else may read them. SQLite gives its side files the same rights. */
function createFile(path: string): void {
  makeDirectory(dirname(resolve(path)));
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    // An existing file is not opened here: closing it again would drop every lock this process has on it.
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/**
 * Sees to the lock and the schema. A server waits for the lock and keeps it. A command wants it only to migrate;
 * while another process has it, that one may be migrating, so the command looks again.
 */
async function prepareFile(
  { role, clock, log, limits, stop }: SqliteOptions,
  file: DatabaseFile,
): Promise<ServeLock | null> {
  const giveUpAt = clock.monotonic() + limits.lockWaitMs;
  for (let tries = 1; ; tries++) {
    if (role === 'command' && inspect(file) === 'current') return null;
    const lock = tryServeLock(file.path);
    if (lock !== null) return underLock(file, role, lock);
    if (clock.monotonic() >= giveUpAt) throw openError(role === 'serve' ? ANOTHER_SERVER : OLDER_SCHEMA_SERVED);
    if (tries === 1)
      log.info({ wait_ms: limits.lockWaitMs }, 'another process has this database; waiting for it to end');
    await pause(clock, LOCK_RETRY_MS, stop);
    stop?.throwIfAborted();
  }
}

function underLock(file: DatabaseFile, role: StoreOptions['role'], lock: ServeLock): ServeLock | null {
  try {
    if (inspect(file) === 'older') withWriter(file, migrate);
  } catch (error) {
    lock.release();
    throw error;
  }
  if (role === 'serve') return lock;
  lock.release();
  return null;
}

function inspect(file: DatabaseFile): ReturnType<typeof schemaState> {
  return withWriter(file, schemaState);
}

function withWriter<T>(file: DatabaseFile, use: (db: DatabaseSync) => T): T {
  const connection = openWriterConnection(file);
  try {
    return use(connection.db);
  } finally {
    connection.close();
  }
}

const noDatabase = (path: string) =>
  `There is no database at ${resolve(path)}. Set RUNGATE_DATA_DIR (or RUNGATE_DATABASE_URL) as the server has it; the database of ` +
  '`serve --sandbox` is meant with --sandbox.';
const ANOTHER_SERVER =
  'Another Rungate server has this database. Stop it first, or give this one a data directory of its own ' +
  '(RUNGATE_DATA_DIR).';
const OLDER_SCHEMA_SERVED =
  'The database has an older schema and a server is running on it. Restart the server with this version of ' +
  'Rungate; it brings the schema up to date.';

import { realpathSync } from 'node:fs';
import type { KeyStore, SigningKeyStore } from '../access/ports.ts';
import type { AuditStore } from '../core/audit.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { RunStore } from '../runs/ports.ts';
import type { CredentialStore, SealedStore, WebhookSecretStore } from '../vault/ports.ts';
import { openSqliteStore } from './sqlite/open-sqlite-store.ts';
import { openError } from './sqlite/store-errors.ts';
import type { WriterThread } from './writer-thread.ts';

export interface Store {
  runs: RunStore;
  keys: KeyStore;
  credentials: CredentialStore;
  webhookSecrets: WebhookSecretStore;
  signingKeys: SigningKeyStore;
  /** All that is sealed, for the rotation of the master key. */
  sealed: SealedStore;
  audit: AuditStore;
  /** Writes that wait for the disk. */
  queuedWrites(): number;
  /** Reads, and commits a write: resolves if the store is fit for service, throws `store_unavailable` otherwise. */
  check(): Promise<void>;
  /** Refuses new writes, waits for those under way, lets go of the files and of the serve lock. */
  close(): Promise<void>;
}

export interface StoreLimits {
  /** How long a server waits for another to let go of the database, and a command for a migration under way. */
  lockWaitMs: number;
  /** Writes that wait at most; beyond it `store_unavailable`. */
  queueOperationsMax: number;
  /** Characters that wait at most, in all writes together. */
  queueCharactersMax: number;
  /** How often changes by other processes are looked for; 0: never. */
  watchIntervalMs: number;
  /** How long an idempotency key is kept at least. */
  idempotencyMs: number;
}

export const STORE_LIMITS: Readonly<StoreLimits> = {
  lockWaitMs: 5_000,
  queueOperationsMax: 10_000,
  queueCharactersMax: 128_000_000,
  watchIntervalMs: 250,
  idempotencyMs: 86_400_000,
};

export interface StoreOptions {
  /** `sqlite:<path>`; `sqlite::memory:` for a store that is gone with its process (tests, simulations). */
  url: string;
  clock: Clock;
  log: Log;
  /** `serve` holds the serve lock until it closes or dies; `command` works beside a server. */
  role: 'serve' | 'command';
  /** What to do where there is no database yet; without it one is made. */
  absent?: 'make' | 'refuse';
  /** `worker`: commits on a thread of its own; `inline`: on the caller's, without any timer. */
  writer?: 'worker' | 'inline';
  limits?: Partial<StoreLimits>;
  /** One that was begun before, for a writer of the kind `worker`; none: the store begins its own. */
  writerThread?: WriterThread | undefined;
  /** Ends the wait for another server's lock, and throws its reason. */
  stop?: AbortSignal | undefined;
  /** Hears of each batch of writes that is on disk. */
  onCommitted?: (sample: { operations: number; ms: number }) => void;
}

/**
 * Opens the store that `url` names. Throws `GatewayError` `store_unavailable` with a message that says what to do, or the reason
 * of `stop`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  return openSqliteStore({
    ...options,
    path: pathOfUrl(options.url),
    absent: options.absent ?? 'make',
    onCommitted: options.onCommitted ?? (() => {}),
    writerThread: options.writerThread,
    stop: options.stop,
    writer: options.writer ?? (options.role === 'serve' ? 'worker' : 'inline'),
    limits: { ...STORE_LIMITS, ...options.limits },
  });
}

/** The file that a database URL names. Throws `store_unavailable`. */
export function pathOfUrl(url: string): string {
  const path = /^sqlite:(.+)$/s.exec(url)?.[1];
  if (path !== undefined) return realPath(path);
  throw openError('The database URL must be `sqlite:` and a path, for example `sqlite:./data/rungate.db`.');
}

/** Whoever comes by a symbolic link must find the lock of those who do not. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there yet, or in memory.
    return path;
  }
}

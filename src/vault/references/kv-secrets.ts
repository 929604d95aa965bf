import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Secret } from '../../core/secret.ts';
import { createKvEntries, type KvEntry } from './kv-entries.ts';
import type { ReferenceIn, SecretSource } from './secret-source.ts';
import { ServerFault } from './vault-http.ts';
import type { KvReader } from './vault-server.ts';

export interface SecretsServerLimits {
  /** How long a secret is used before it is read again. */
  cacheMs: number;
  /** How much longer it is used while the server cannot be reached or refuses. */
  outageMs: number;
  /** For one call. */
  timeoutMs: number;
}

/** What is not there is looked for again after so long: somebody may be about to write it. */
const GONE_MS = 1_000;
/** After a failure the server is left alone for so long, for each path; longer while it goes on. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 5_000;

export interface KvSecretsParts {
  read: KvReader;
  limits: Pick<SecretsServerLimits, 'cacheMs' | 'outageMs'>;
  clock: Pick<Clock, 'monotonic'>;
  log: Pick<Log, 'warn' | 'info'>;
}

/*
 * Secrets that a server keeps, remembered for a while. By the age of what was read last:
 *
 *   up to `cacheMs`               it is used
 *   up to twice that              it is used, and read again meanwhile (so a secret in steady use costs nobody a wait)
 *   up to `cacheMs + outageMs`    it is read again first; where that fails, it is used all the same
 *   beyond                        it is read again, and where that fails the error is `vault_unavailable`
 *
 * What the server says is gone (404, or the field is missing) is gone at once: only failures are bridged. A refusal (403)
 * counts as a failure, because it speaks of our login, not of the secret.
 *
 * Invariants: at most one read of a path is under way, for all fields and callers; a path that failed is not asked again
 * before `retryAt`; entries and their size are bounded, and the one used longest ago makes room.
 */

/** `vault:` references. `isSet` asks nobody. */
export function createKvSecrets(parts: KvSecretsParts): SecretSource<ReferenceIn<'vault'>> {
  const { limits, clock, log } = parts;
  const entries = createKvEntries();

  /** Never rejects; what came of it is in the entry. */
  function refresh(entry: KvEntry): Promise<void> {
    if (entry.reading === null && clock.monotonic() < entry.retryAt) return Promise.resolve();
    entry.reading ??= readAgain(entry).finally(() => (entry.reading = null));
    return entry.reading;
  }

  async function readAgain(entry: KvEntry): Promise<void> {
    const { mount, path } = entry;
    const begunAt = clock.monotonic();
    entry.isExpired = false;
    try {
      const secret = await parts.read(mount, path);
      if (entry.fault !== null) log.info({ mount, path }, 'the secrets server gives a secret again');
      if (secret.is === 'gone' && entry.known?.is !== 'gone') log.warn({ mount, path }, GONE);
      Object.assign(entry, { readAt: begunAt, fault: null, failures: 0 });
      entries.learn(entry, secret);
    } catch (err) {
      const fault = err instanceof ServerFault ? err : new ServerFault('it could not be asked', { cause: err });
      if (entry.fault?.message !== fault.message) {
        log.warn(
          { mount, path, reason: fault.message, ...detailOf(err) },
          entry.known?.is === 'found' ? FAILED : NEVER_READ,
        );
      }
      entry.fault = fault;
      entry.failures += 1;
    } finally {
      const waitMs = entry.fault === null ? 0 : Math.min(RETRY_MS * 2 ** (entry.failures - 1), RETRY_MS_MAX);
      entry.retryAt = clock.monotonic() + waitMs;
    }
  }

  function pick(entry: KvEntry, field: string): Secret | null {
    const { known, mount, path, readAt } = entry;
    if (known?.is !== 'found') return null;
    const secret = known.fields.get(field) ?? null;
    if (secret === null && entry.lackToldFor !== readAt) {
      entry.lackToldFor = readAt;
      log.warn({ mount, path, field }, LACKS_FIELD);
    }
    return secret;
  }

  return {
    isSet: () => true,
    async read(reference) {
      const { cacheMs, outageMs } = limits;
      const entry = entries.of(reference);
      const { known, isExpired } = entry;
      const ageMs = clock.monotonic() - entry.readAt;
      const isFresh = ageMs < (known?.is === 'gone' ? Math.min(GONE_MS, cacheMs) : cacheMs);
      if (known !== null && isFresh && !isExpired) return pick(entry, reference.field);
      const mayBridge = known?.is === 'found' && ageMs < cacheMs + outageMs;
      // Where the last read failed, nobody waits for the next one to fail as well.
      if (mayBridge && !isExpired && (ageMs < 2 * cacheMs || entry.fault !== null)) {
        void refresh(entry);
        return pick(entry, reference.field);
      }
      await refresh(entry);
      // A read that was under way when somebody asked for a newer one may have come too soon.
      if (entry.isExpired) await refresh(entry);
      if (entry.fault !== null && !mayBridge) throw unavailable(entry, clock.monotonic());
      return pick(entry, reference.field);
    },
    expire(reference) {
      entries.of(reference).isExpired = true;
    },
  };
}

const GONE =
  'a secret is not at its path in the secrets server: it was never written, was deleted, or is hidden from us';
const LACKS_FIELD = 'a secret in the secrets server does not have the field, or not as text';
const FAILED = 'the secrets server gives a secret no more; what is known of it is used for a while';

const NEVER_READ = 'the secrets server does not give a secret, and none is known: runs that need it cannot be started';

/** A server that is away needs no stack; what nobody foresaw does. */
function detailOf(error: unknown): { detail: string | null } | { err: unknown } {
  if (!(error instanceof ServerFault)) return { err: error };
  return { detail: error.cause instanceof Error ? error.cause.message : null };
}

/** Callers read the message too: it names neither path nor server. */
function unavailable({ fault, retryAt }: KvEntry, now: number): GatewayError {
  const reason = fault?.message ?? 'it gave no answer';
  const message = `The secret cannot be read from the secrets server: ${reason}. Nothing was sent; try again.`;
  const retryAfterS = Math.max(1, Math.ceil((retryAt - now) / 1000));
  return new GatewayError('vault_unavailable', { message, retryAfterS, ...(fault === null ? {} : { cause: fault }) });
}

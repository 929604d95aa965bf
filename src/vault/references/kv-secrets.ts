import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Secret } from '../../core/secret.ts';
import type { ReferenceIn, SecretSource } from './secret-source.ts';
import { ServerFault } from './vault-http.ts';
import type { KvReader, KvSecret } from './vault-server.ts';

export interface SecretsServerLimits {
  /** How long a secret is used before it is read again. */
  cacheMs: number;
  /** How much longer it is used while the server cannot be reached or refuses. */
  outageMs: number;
  /** For one call. */
  timeoutMs: number;
}

const ENTRIES_MAX = 1_000;
const CHARACTERS_MAX = 4 * 1024 * 1024;
/** What is not there is looked for again after so long: somebody may be about to write it. */
const GONE_MS = 1_000;
/** After a failure the server is left alone for so long, for each path; longer while it goes on. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 5_000;

/** One path of the server, with all of its fields. */
interface Entry {
  readonly mount: string;
  readonly path: string;
  /** What was read last; null: nothing was yet. */
  known: KvSecret | null;
  /** When the read that brought it began, on the monotonic clock. */
  readAt: number;
  /** Why the last read failed; null: it did not. */
  fault: ServerFault | null;
  failures: number;
  /** No read before this. */
  retryAt: number;
  /** Whatever is known is to be read again before it is used. */
  isExpired: boolean;
  /** When what was read last was found to lack a field, and told so. */
  lackToldFor: number;
  reading: Promise<void> | null;
}

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
  const entries = new Map<string, Entry>();
  let characters = 0;

  function entryOf({ mount, path }: ReferenceIn<'vault'>): Entry {
    const key = `${mount}\n${path}`;
    const known = entries.get(key);
    if (known !== undefined) {
      // The map's order is that of use.
      entries.delete(key);
      entries.set(key, known);
      return known;
    }
    const entry: Entry = {
      mount,
      path,
      known: null,
      readAt: -Infinity,
      fault: null,
      failures: 0,
      retryAt: -Infinity,
      isExpired: false,
      lackToldFor: -Infinity,
      reading: null,
    };
    entries.set(key, entry);
    makeRoom();
    return entry;
  }

  /** An entry that is being read is forgotten like others: whoever waits for it has it. */
  function makeRoom(): void {
    for (const [key, { known }] of entries) {
      if (entries.size <= 1 || (entries.size <= ENTRIES_MAX && characters <= CHARACTERS_MAX)) return;
      entries.delete(key);
      characters -= sizeOf(known);
    }
  }

  /** Never rejects; what came of it is in the entry. */
  function refresh(entry: Entry): Promise<void> {
    if (entry.reading === null && clock.monotonic() < entry.retryAt) return Promise.resolve();
    entry.reading ??= readAgain(entry).finally(() => (entry.reading = null));
    return entry.reading;
  }

  async function readAgain(entry: Entry): Promise<void> {
    const { mount, path } = entry;
    const begunAt = clock.monotonic();
    try {
      const secret = await parts.read(mount, path);
      if (entry.fault !== null) log.info({ mount, path }, 'the secrets server gives a secret again');
      if (secret.is === 'gone' && entry.known?.is !== 'gone') log.warn({ mount, path }, GONE);
      if (entries.get(`${mount}\n${path}`) === entry) characters += sizeOf(secret) - sizeOf(entry.known);
      Object.assign(entry, { known: secret, readAt: begunAt, fault: null, failures: 0 });
      makeRoom();
    } catch (err) {
      const fault = err instanceof ServerFault ? err : new ServerFault('it could not be asked', { cause: err });
      if (entry.fault?.message !== fault.message) {
        log.warn({ mount, path, reason: fault.message, err: fault.cause ?? null }, FAILED);
      }
      entry.fault = fault;
      entry.failures += 1;
    } finally {
      entry.isExpired = false;
      const waitMs = entry.fault === null ? 0 : Math.min(RETRY_MS * 2 ** (entry.failures - 1), RETRY_MS_MAX);
      entry.retryAt = clock.monotonic() + waitMs;
    }
  }

  function pick(entry: Entry, field: string): Secret | null {
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
      const entry = entryOf(reference);
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
      if (entry.fault !== null && !mayBridge) throw unavailable(entry, clock.monotonic());
      return pick(entry, reference.field);
    },
    expire(reference) {
      entryOf(reference).isExpired = true;
    },
  };
}

const GONE =
  'a secret is not at its path in the secrets server: it was never written, was deleted, or is hidden from us';
const LACKS_FIELD = 'a secret in the secrets server does not have the field, or not as text';
const FAILED = 'the secrets server gives a secret no more; what is known of it is used for a while';

function sizeOf(secret: KvSecret | null): number {
  return secret?.is === 'found' ? secret.characters : 0;
}

/** Callers read the message too: it names neither path nor server. */
function unavailable({ fault, retryAt }: Entry, now: number): GatewayError {
  const reason = fault?.message ?? 'it gave no answer';
  const message = `The secret cannot be read from the secrets server: ${reason}. Nothing was sent; try again.`;
  const retryAfterS = Math.max(1, Math.ceil((retryAt - now) / 1000));
  return new GatewayError('vault_unavailable', { message, retryAfterS, ...(fault === null ? {} : { cause: fault }) });
}

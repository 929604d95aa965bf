import { hash, timingSafeEqual } from 'node:crypto';
import type { Caller, CallerLimits, Role } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import { wrongParam } from '../core/errors.ts';
import { ISO_TIME_MAX } from '../core/iso-time.ts';
import { isOrigin, originFault } from '../core/origin.ts';
import { isPrintable } from '../core/printable.ts';
import type { Random } from '../core/random.ts';
import { Secret } from '../core/secret.ts';
import { checkAllowLists } from './policy.ts';
import { drawKeyParts, formatKey, parseKey } from './key-format.ts';
import { checkLimits, NO_LIMITS } from './key-limits.ts';
import type { KeyUse } from './key-use.ts';
import type { KeyStore, StoredKey } from './ports.ts';
import { unauthorized } from './refusals.ts';
import { keyStatus } from './render-key.ts';

export const NAME_LENGTH_MAX = 100;
export const ORIGINS_MAX = 20;
const HASH_BYTES = 32;
/** What the secret of an unknown key is compared with; no text has this hash. */
const NO_HASH = new Uint8Array(HASH_BYTES);
/** No key has this id: it has letters that ids do not. */
const NO_ID = 'uuuuuuuuuuuuuuuu';

export interface NewKey {
  name: string;
  role: Role;
  allowedWorkflows: readonly string[];
  /** `provider` or `provider/vendor-id`. */
  allowedProviders: readonly string[];
  /** None: no bounds. */
  limits?: CallerLimits;
  /** Browser origins whose pages may use it; none: it is for servers. */
  origins?: readonly string[];
  /** Milliseconds since 1970; null: never. */
  expiresAt: number | null;
  /** Of the key that it replaces; none: it begins a line of its own. */
  lineage?: string;
}

/**
 * Makes a client key: what the store keeps, and the key itself, which nobody can show again.
 * Throws `invalid_request` naming the field at fault.
 */
export function createKey(
  wanted: NewKey,
  { clock, random }: { clock: Pick<Clock, 'now'>; random: Random },
): { stored: StoredKey; key: Secret } {
  const { name, role, allowedWorkflows, allowedProviders, limits = NO_LIMITS, origins = [], expiresAt } = wanted;
  const now = clock.now();
  if (name === '' || name.length > NAME_LENGTH_MAX || !isPrintable(name)) {
    throw wrongParam('name', `A key's name has 1 to ${NAME_LENGTH_MAX} printable characters.`);
  }
  if (expiresAt !== null && expiresAt <= now) throw wrongParam('expires_at', 'A key cannot expire before it is made.');
  if (expiresAt !== null && expiresAt > ISO_TIME_MAX)
    throw wrongParam('expires_at', 'A key expires before the year 10000.');
  checkAllowLists(wanted);
  checkLimits(limits);
  checkOrigins(origins);
  const parts = drawKeyParts(random);
  const stored: StoredKey = {
    id: parts.id,
    name,
    role,
    lineage: wanted.lineage ?? parts.id,
    // Plain bytes, as the store gives them back.
    secretHash: new Uint8Array(Buffer.from(hashSecret(parts.secret), 'hex')),
    allowedWorkflows: [...new Set(allowedWorkflows)],
    allowedProviders: [...new Set(allowedProviders)],
    limits: { ...limits },
    origins: [...new Set(origins)],
    createdAt: now,
    expiresAt,
    revokedAt: null,
    lastUsedAt: null,
  };
  return { stored, key: new Secret(formatKey(parts)) };
}

/** Turns what claims to be a key into a proven caller. */
export interface KeyVerifier {
  /** Throws `unauthorized`, the same for every reason, or what the store throws. */
  verify(shown: string): Promise<Caller>;
  /**
   * Who a key stands for, without its secret, for what was given out in its name. Null where there is no such key, or it is
   * revoked or has expired. Throws what the store throws.
   */
  holder(keyId: string): Promise<Caller | null>;
  /** The line of rotated keys that a key belongs to, valid or not; null: there is no such key. Throws what the store throws. */
  lineageOf(keyId: string): Promise<string | null>;
  /** Whether the key may be used now, as the store has it at this moment. Throws what the store throws. */
  isValid(keyId: string): Promise<boolean>;
}

/** A revocation must count within a second; half of it goes to whatever else is slow. */
const KNOWN_FOR_MS = 500;
const KNOWN_MAX = 10_000;

interface KnownKey {
  stored: StoredKey;
  /** One for all requests of the key: nobody changes it. */
  caller: Caller;
  untilMs: number;
}

/**
 * Makes a verifier over a store. What the store says of an id is believed for half a second, so that a busy
 * key costs no read for each request, and a revocation made anywhere counts within a second.
 */
export function createKeyVerifier({
  keys,
  use,
  clock,
}: {
  keys: Pick<KeyStore, 'find'>;
  use: Pick<KeyUse, 'note'>;
  clock: Pick<Clock, 'now'>;
}): KeyVerifier {
  const known = new Map<string, KnownKey>();

  /** What the store has said lately; null: it is to be asked. */
  function remembered(id: string): KnownKey | null {
    const now = clock.now();
    const entry = known.get(id);
    return entry && now < entry.untilMs && entry.untilMs - now <= KNOWN_FOR_MS ? entry : null;
  }

  async function find(id: string): Promise<KnownKey | null> {
    return remembered(id) ?? (await read(id));
  }

  /** Only keys that exist are remembered: made-up ids must not push them out. */
  async function read(id: string): Promise<KnownKey | null> {
    const now = clock.now();
    const stored = await keys.find(id);
    if (stored === null) {
      known.delete(id);
      return null;
    }
    if (known.size >= KNOWN_MAX) known.clear();
    const found = { stored, caller: callerOf(stored), untilMs: now + KNOWN_FOR_MS };
    known.set(id, found);
    return found;
  }

  /**
   * After a secret that is wrong: has the store read what it has not read for it yet, so that every such request costs one
   * row that is there and one that is not.
   */
  async function evenOut(id: string, found: KnownKey | null, wasKnown: boolean): Promise<void> {
    if (wasKnown) await keys.find(id);
    await keys.find(found === null ? (known.keys().next().value ?? NO_ID) : NO_ID);
  }

  return {
    async verify(shown) {
      const claimed = parseKey(shown);
      if (claimed === null) throw unauthorized();
      const knownBefore = known.get(claimed.id);
      // Nearly every request is of a key that came a moment ago, and is to wait for nothing.
      const found = remembered(claimed.id) ?? (await read(claimed.id));
      // Unknown keys go the whole way too, so that time does not tell which ids exist.
      const proven = hasHash(claimed.secret, found?.stored.secretHash ?? NO_HASH);
      if (!proven) await evenOut(claimed.id, found, found !== null && knownBefore === found);
      if (found === null || !proven || !isValid(found.stored, clock.now())) throw unauthorized();
      use.note(claimed.id);
      return found.caller;
    },
    async holder(keyId) {
      const found = await find(keyId);
      if (found === null || !isValid(found.stored, clock.now())) return null;
      use.note(keyId);
      return found.caller;
    },
    async lineageOf(keyId) {
      return (await find(keyId))?.stored.lineage ?? null;
    },
    async isValid(keyId) {
      const stored = await keys.find(keyId);
      if (stored !== null && isValid(stored, clock.now())) return true;
      // Requests are to know it too. A key that is good is not remembered: it may be one of very many that wait.
      known.delete(keyId);
      return false;
    },
  };
}

/** As hexadecimal text: a buffer of its own for each would cost more than hashing does. */
function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}

/** The hash that is being compared. */
const shownHash = Buffer.alloc(HASH_BYTES);

/** Takes as long for every secret, and for every hash of the right length. */
function hasHash(secret: string, secretHash: Uint8Array): boolean {
  shownHash.write(hashSecret(secret), 'hex');
  return secretHash.length === HASH_BYTES && timingSafeEqual(shownHash, secretHash);
}

function checkOrigins(origins: readonly string[]): void {
  if (origins.length > ORIGINS_MAX) throw wrongParam('origins', `A key has at most ${ORIGINS_MAX} origins.`);
  const bad = origins.find((origin) => !isOrigin(origin));
  if (bad !== undefined) throw wrongParam('origins', `An origin is ${originFault(bad)}.`);
}

function isValid(stored: StoredKey, now: number): boolean {
  return keyStatus(stored, now) === 'active';
}

function callerOf(stored: StoredKey): Caller {
  const { id, name, expiresAt, lineage, role, allowedWorkflows, allowedProviders, limits, origins } = stored;
  return {
    keyId: id,
    keyName: name,
    keyExpiresAt: expiresAt,
    lineage,
    subject: null,
    token: null,
    role,
    allowedWorkflows,
    allowedProviders,
    limits,
    origins,
  };
}

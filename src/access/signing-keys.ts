import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import { Secret } from '../core/secret.ts';
import type { SigningKeyStore, StoredSigningKey } from './ports.ts';
import { TOKEN_TTL_S_MAX } from './token-limits.ts';

/*
 * The secrets that sign tokens: 32 bytes of chance each, sealed in the store. One is made when the first token is asked
 * for, and when the newest is a day old; each counts until the last token made with it has ended, and is purged then. Two
 * processes that make one at the same time make two: both are good, as a token names its own.
 *
 * What is remembered of the store is read again for a signing key that is not known, at most once a second, so that
 * made-up names cost no reads; and before signing, where it is a minute old.
 */

const SECRET_BYTES = 32;
const ID_BYTES = 10;
const SIGNS_FOR_MS = 86_400_000;
/** For clocks that differ. */
const SPARE_MS = 300_000;
const KEPT_FOR_MS = SIGNS_FOR_MS + TOKEN_TTL_S_MAX * 1000 + SPARE_MS;
const READ_AGAIN_MS = 1_000;
const BELIEVED_FOR_MS = 60_000;

/** A secret that signs tokens, open. */
export interface SigningKey {
  id: string;
  secret: KeyObject;
}

/** Seals and opens signing keys' secrets; the vault's part. */
export interface SigningKeyBox {
  /**
   * Seals the secret of this signing key and has it stored, again where the master key changed meanwhile. Resolves to what
   * `store` did.
   */
  seal<T>(id: string, secret: Secret, store: (sealed: Uint8Array) => Promise<T>): Promise<T>;
  /** Throws `vault_unavailable`. */
  open(id: string, sealed: Uint8Array): Promise<Secret>;
}

export interface SigningKeys {
  /** The one that signs now. Throws what the store or the vault throws. */
  current(): Promise<SigningKey>;
  /** The one of this id; null where there is none, or every token made with it has ended. */
  find(id: string): Promise<SigningKey | null>;
}

export interface SigningKeysParts {
  store: SigningKeyStore;
  box: SigningKeyBox;
  clock: Pick<Clock, 'now' | 'monotonic'>;
  random: Random;
}

export function createSigningKeys({ store, box, clock, random }: SigningKeysParts): SigningKeys {
  /** As the store has them, newest first. */
  let rows: readonly StoredSigningKey[] = [];
  const opened = new Map<string, KeyObject>();
  let readAt = -Infinity;
  let reading: Promise<void> | null = null;
  let making: Promise<StoredSigningKey> | null = null;

  async function readAgain(afterMs: number): Promise<void> {
    if (clock.monotonic() - readAt < afterMs) return;
    reading ??= read().finally(() => (reading = null));
    await reading;
  }

  async function read(): Promise<void> {
    // Before the answer: a read that fails is not tried again for every request either.
    readAt = clock.monotonic();
    const before = new Set(rows);
    const listed = await store.list();
    const known = new Set(listed.map(({ id }) => id));
    // One that was made meanwhile may have come too late for the list.
    const made = rows.filter((row) => !before.has(row) && !known.has(row.id));
    rows = [...made, ...listed];
    for (const { id } of made) known.add(id);
    for (const id of opened.keys()) if (!known.has(id)) opened.delete(id);
  }

  async function open({ id, sealed }: StoredSigningKey): Promise<SigningKey> {
    let secret = opened.get(id);
    if (secret === undefined) {
      secret = createSecretKey(Buffer.from((await box.open(id, sealed)).open(), 'base64url'));
      opened.set(id, secret);
    }
    return { id, secret };
  }

  function signing(): StoredSigningKey | undefined {
    const now = clock.now();
    // One from the future: the clock was set back. It would sign for too long.
    return rows.find(({ createdAt }) => createdAt <= now + SPARE_MS && now < createdAt + SIGNS_FOR_MS);
  }

  async function make(): Promise<StoredSigningKey> {
    const now = clock.now();
    const id = `sgn_${Buffer.from(random.bytes(ID_BYTES)).toString('hex')}`;
    const secret = new Secret(Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url'));
    const made = await box.seal(id, secret, async (sealed) => {
      const row = { id, sealed, createdAt: now, expiresAt: now + KEPT_FOR_MS };
      await store.insert(row);
      return row;
    });
    rows = [made, ...rows];
    return made;
  }

  return {
    async current() {
      await readAgain(signing() === undefined ? 0 : BELIEVED_FOR_MS);
      const row = signing() ?? (await (making ??= make().finally(() => (making = null))));
      return open(row);
    },
    async find(id) {
      const known = () => rows.find((row) => row.id === id);
      if (known() === undefined) await readAgain(READ_AGAIN_MS);
      const row = known();
      return row === undefined || clock.now() >= row.expiresAt ? null : open(row);
    },
  };
}

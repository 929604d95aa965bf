import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Random } from '../core/random.ts';
import type { MasterKey } from './master-key.ts';

/*
 * A sealed box is one piece of bytes:
 *
 *   version 2 (1) | fingerprint of the master key (8) | wrap nonce (12) | wrapped data key (32) | wrap tag (16)
 *     | nonce (12) | ciphertext (as long as the plaintext) | tag (16)
 *
 * AES-256-GCM twice: the master key wraps a data key of 32 random bytes, which encrypts this one secret and nothing else.
 * The wrap's tag also covers version, fingerprint and the place that the box belongs to; the secret's tag covers version
 * and place. So a box that is copied to another row, provider, purpose or column does not open there, and a new master
 * key rewrites the wrap alone: nonce, ciphertext and tag of the secret stay as they are.
 *
 * Version 1, of the first releases, still opens: the secret directly under the master key.
 *
 *   version 1 (1) | fingerprint of the master key (8) | nonce (12) | ciphertext | tag (16)
 */

/** What `seal` and `rewrap` make. */
export const SEALED_BOX_VERSION = 2;
const DIRECT_VERSION = 1;
const FINGERPRINT_BYTES = 8;
const NAME_BYTES = 1 + FINGERPRINT_BYTES;
const NONCE_BYTES = 12;
const DATA_KEY_BYTES = 32;
const TAG_BYTES = 16;
const WRAP_BYTES = NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES;
const DIRECT_BYTES_MIN = NAME_BYTES + NONCE_BYTES + TAG_BYTES;
const ENVELOPE_BYTES_MIN = NAME_BYTES + WRAP_BYTES + NONCE_BYTES + TAG_BYTES;
const CIPHER = 'aes-256-gcm';
const DIRECT_DOMAIN = 'rungate sealed box';
const WRAP_DOMAIN = 'rungate data key';
const SECRET_DOMAIN = 'rungate sealed secret';

/** Where a sealed value lies. It opens nowhere else. */
export interface SealedPlace {
  id: string;
  provider: string;
  purpose: string;
  column: string;
}

/** The bytes are no sealed box, were altered, or belong to another place. */
export class BrokenSealError extends Error {
  override readonly name = 'BrokenSealError';
}

/** Encrypts `plaintext` for one place, under a data key of its own that `key` wraps. */
export function seal(
  plaintext: string,
  place: SealedPlace,
  { key, random }: { key: MasterKey; random: Random },
): Uint8Array {
  const dataKey = random.bytes(DATA_KEY_BYTES);
  try {
    const secret = encrypt(Buffer.from(plaintext, 'utf8'), dataKey, { aad: secretData(place), random });
    return join([envelopeName(key), wrap(dataKey, place, { key, random }), secret]);
  } finally {
    dataKey.fill(0);
  }
}

/** The fingerprint of the master key that a box was sealed with. Throws `BrokenSealError`. */
export function fingerprintOf(sealed: Uint8Array): string {
  versionOf(sealed);
  return Buffer.from(sealed.subarray(1, NAME_BYTES)).toString('hex');
}

/** Decrypts a box that was sealed with `key` for this place. Throws `BrokenSealError`. */
export function unseal(sealed: Uint8Array, place: SealedPlace, key: MasterKey): string {
  if (fingerprintOf(sealed) !== key.fingerprint) throw new BrokenSealError('sealed with another master key');
  if (versionOf(sealed) === DIRECT_VERSION) return openDirect(sealed, place, key).toString('utf8');
  const dataKey = unwrap(sealed, place, key);
  try {
    return openSecret(sealed, place, dataKey).toString('utf8');
  } finally {
    dataKey.fill(0);
  }
}

/**
 * The same secret for the same place, its data key wrapped with the master key `to`; the secret's own bytes stay. A box of
 * version 1 is sealed anew. It is opened to its end before, so that no broken box gets a good wrap. Throws `BrokenSealError`.
 */
export function rewrap(
  sealed: Uint8Array,
  place: SealedPlace,
  { from, to, random }: { from: MasterKey; to: MasterKey; random: Random },
): Uint8Array {
  if (versionOf(sealed) === DIRECT_VERSION) return seal(unseal(sealed, place, from), place, { key: to, random });
  if (fingerprintOf(sealed) !== from.fingerprint) throw new BrokenSealError('sealed with another master key');
  const dataKey = unwrap(sealed, place, from);
  try {
    openSecret(sealed, place, dataKey).fill(0);
    return join([
      envelopeName(to),
      wrap(dataKey, place, { key: to, random }),
      sealed.subarray(NAME_BYTES + WRAP_BYTES),
    ]);
  } finally {
    dataKey.fill(0);
  }
}

function versionOf(sealed: Uint8Array): number {
  const [version] = sealed;
  const isWhole =
    (version === SEALED_BOX_VERSION && sealed.length >= ENVELOPE_BYTES_MIN) ||
    (version === DIRECT_VERSION && sealed.length >= DIRECT_BYTES_MIN);
  if (version === undefined || !isWhole) throw new BrokenSealError('not a sealed box of a known version');
  return version;
}

function envelopeName({ fingerprint }: MasterKey): Uint8Array {
  return join([Uint8Array.of(SEALED_BOX_VERSION), Buffer.from(fingerprint, 'hex')]);
}

function wrap(dataKey: Uint8Array, place: SealedPlace, { key, random }: { key: MasterKey; random: Random }) {
  return encrypt(dataKey, key.secret, { aad: wrapData(envelopeName(key), place), random });
}

function unwrap(sealed: Uint8Array, place: SealedPlace, key: MasterKey): Buffer {
  const wrapped = sealed.subarray(NAME_BYTES, NAME_BYTES + WRAP_BYTES);
  return decrypt(wrapped, key.secret, wrapData(sealed.subarray(0, NAME_BYTES), place));
}

function openSecret(sealed: Uint8Array, place: SealedPlace, dataKey: Uint8Array): Buffer {
  return decrypt(sealed.subarray(NAME_BYTES + WRAP_BYTES), dataKey, secretData(place));
}

/** Version 1: the whole header, nonce included, is among what the tag covers. */
function openDirect(sealed: Uint8Array, place: SealedPlace, { secret }: MasterKey): Buffer {
  const header = sealed.subarray(0, NAME_BYTES + NONCE_BYTES);
  return decrypt(sealed.subarray(NAME_BYTES), secret, associatedData(DIRECT_DOMAIN, header, place));
}

const wrapData = (name: Uint8Array, place: SealedPlace) => associatedData(WRAP_DOMAIN, name, place);
const secretData = (place: SealedPlace) => associatedData(SECRET_DOMAIN, Uint8Array.of(SEALED_BOX_VERSION), place);

/** Nonce, ciphertext and tag in one piece. */
function encrypt(
  plaintext: Uint8Array,
  key: KeyObject | Uint8Array,
  { aad, random }: { aad: Uint8Array; random: Random },
): Uint8Array {
  const nonce = random.bytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  return join([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(piece: Uint8Array, key: KeyObject | Uint8Array, aad: Uint8Array): Buffer {
  const decipher = createDecipheriv(CIPHER, key, piece.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(piece.subarray(piece.length - TAG_BYTES));
  try {
    const start = decipher.update(piece.subarray(NONCE_BYTES, piece.length - TAG_BYTES));
    return Buffer.concat([start, decipher.final()]);
  } catch {
    // The cause says nothing more, and whatever `update` gave was not authenticated.
    throw new BrokenSealError('altered, or moved here from another place');
  }
}

/** Each part with its length before it: no two places give the same bytes. */
function associatedData(
  domain: string,
  header: Uint8Array,
  { id, provider, purpose, column }: SealedPlace,
): Uint8Array {
  const parts = [Buffer.from(domain), header, ...[id, provider, purpose, column].map((text) => Buffer.from(text))];
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

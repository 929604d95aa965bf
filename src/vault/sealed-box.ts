import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '../core/random.ts';
import type { MasterKey } from './master-key.ts';

/*
 * A sealed box is one piece of bytes:
 *
 *   version (1) | fingerprint of the master key (8) | nonce (12) | ciphertext (as long as the plaintext) | tag (16)
 *
 * AES-256-GCM. The tag also covers the header and the place that the box belongs to, so a ciphertext
 * that is copied to another row, provider, purpose or column does not open there.
 */

const VERSION = 1;
const FINGERPRINT_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + FINGERPRINT_BYTES + NONCE_BYTES;
const CIPHER = 'aes-256-gcm';
const DOMAIN = 'rungate sealed box';

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

/** Encrypts `plaintext` under `key` for one place. */
export function seal(plaintext: string, place: SealedPlace, { key, random }: { key: MasterKey; random: Random }) {
  const nonce = random.bytes(NONCE_BYTES);
  const header = Buffer.concat([Uint8Array.of(VERSION), Buffer.from(key.fingerprint, 'hex'), nonce]);
  const cipher = createCipheriv(CIPHER, key.secret, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associatedData(header, place));
  const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return new Uint8Array(Buffer.concat([header, ciphertext, cipher.getAuthTag()]));
}

/** The fingerprint of the master key that a box was sealed with. Throws `BrokenSealError`. */
export function fingerprintOf(sealed: Uint8Array): string {
  if (sealed.length < HEADER_BYTES + TAG_BYTES || sealed[0] !== VERSION) {
    throw new BrokenSealError('not a sealed box of a known version');
  }
  return Buffer.from(sealed.subarray(1, 1 + FINGERPRINT_BYTES)).toString('hex');
}

/** Decrypts a box that was sealed with `key` for this place. Throws `BrokenSealError`. */
export function unseal(sealed: Uint8Array, place: SealedPlace, key: MasterKey): string {
  if (fingerprintOf(sealed) !== key.fingerprint) throw new BrokenSealError('sealed with another master key');
  const header = sealed.subarray(0, HEADER_BYTES);
  const nonce = sealed.subarray(1 + FINGERPRINT_BYTES, HEADER_BYTES);
  const decipher = createDecipheriv(CIPHER, key.secret, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(header, place));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    const start = decipher.update(sealed.subarray(HEADER_BYTES, sealed.length - TAG_BYTES));
    return Buffer.concat([start, decipher.final()]).toString('utf8');
  } catch {
    // The cause says nothing more, and whatever `update` gave was not authenticated.
    throw new BrokenSealError('altered, or moved here from another place');
  }
}

/** Each part with its length before it: no two places give the same bytes. */
function associatedData(header: Uint8Array, { id, provider, purpose, column }: SealedPlace): Uint8Array {
  const parts = [Buffer.from(DOMAIN), header, ...[id, provider, purpose, column].map((text) => Buffer.from(text))];
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

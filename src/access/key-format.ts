import { crc32 } from 'node:zlib';
import type { Random } from '../core/random.ts';

/*
 * A client key, as a secret scanner finds it:
 *
 *   rgk_<id>_<secret>_<checksum>      rgk_[0-9a-hjkmnp-tv-z]{16}_[0-9A-Za-z]{43}_[0-9a-f]{8}
 *
 *   id        80 bits of chance in Crockford's base 32, lower case; public, names the key in the store
 *   secret    256 bits of chance in base 62; the store keeps only its SHA-256
 *   checksum  CRC-32 (zlib's) of everything before the last `_`, in hexadecimal: a scanner can tell a
 *             real key from a look-alike without asking, and a mistyped key costs no look-up
 */

export const KEY_PREFIX = 'rgk_';
/** The pattern to give to a secret scanner. */
const KEY = /^rgk_([0-9a-hjkmnp-tv-z]{16})_([0-9A-Za-z]{43})_([0-9a-f]{8})$/;
const KEY_LENGTH = 4 + 16 + 1 + 43 + 1 + 8;

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz';
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Of a key's public part. */
export const KEY_ID_LENGTH = 16;
const SECRET_BYTES = 32;
const SECRET_LENGTH = 43;

export interface KeyParts {
  id: string;
  secret: string;
}

/** Draws the id and the secret of a new key. */
export function drawKeyParts(random: Random): KeyParts {
  const id = Array.from(random.bytes(KEY_ID_LENGTH), (byte) => BASE32[byte & 31]).join('');
  return { id, secret: base62(random.bytes(SECRET_BYTES)) };
}

/** Writes a key out, with its checksum. */
export function formatKey({ id, secret }: KeyParts): string {
  const body = `${KEY_PREFIX}${id}_${secret}`;
  return `${body}_${checksum(body)}`;
}

/** Reads what somebody claims to be a key; null where it cannot be one. */
export function parseKey(text: string): KeyParts | null {
  if (text.length !== KEY_LENGTH) return null;
  const [, id, secret, sum] = KEY.exec(text) ?? [];
  if (id === undefined || secret === undefined || sum === undefined) return null;
  return crc32(text.slice(0, -9)) === Number.parseInt(sum, 16) ? { id, secret } : null;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

function base62(bytes: Uint8Array): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  while (text.length < SECRET_LENGTH) {
    text = BASE62[Number(rest % 62n)] + text;
    rest /= 62n;
  }
  return text;
}

import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../../core/errors.ts';

const LENGTH_MAX = 255;
/** A string of RFC 8941: printable ASCII in quotes, `"` and `\` escaped. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
const BARE = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;

/** Reads `Idempotency-Key`, quoted or bare; null where there is none. Throws `invalid_request` on anything else. */
export function readIdempotencyKey(raw: IncomingMessage): string | null {
  const value = raw.headers['idempotency-key'];
  if (value === undefined) return null;
  const key = typeof value === 'string' ? unquote(value) : null;
  // Node joins repeated headers with commas: a key with one may be two keys.
  const repeated = key?.includes(',') && (raw.headersDistinct['idempotency-key']?.length ?? 0) > 1;
  if (key === null || repeated || key.length === 0 || key.length > LENGTH_MAX) {
    throw new GatewayError('invalid_request', {
      param: 'Idempotency-Key',
      message: `\`Idempotency-Key\` must be one string of 1 to ${LENGTH_MAX} printable ASCII characters, quoted or bare.`,
    });
  }
  return key;
}

function unquote(value: string): string | null {
  const quoted = QUOTED.exec(value)?.[1];
  if (quoted !== undefined) return quoted.includes('\\') ? quoted.replaceAll(/\\(["\\])/g, '$1') : quoted;
  return BARE.test(value) ? value : null;
}

import { createHash } from 'node:crypto';
import { parseExactly, type ExactNumber } from './exact-json.ts';
import { depthWithin } from './json-text.ts';

export type Json = null | boolean | number | ExactNumber | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Deeper than this is an attack or a mistake; recursive code may rely on the bound. */
export const JSON_DEPTH_MAX = 100;

export type JsonFault = 'not_utf8' | 'not_json' | 'too_deep';
export type ParsedJson = { ok: true; value: Json } | { ok: false; fault: JsonFault };

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses untrusted JSON, by `parse`. Bytes must be valid UTF-8; at most `JSON_DEPTH_MAX` levels.
 * `__proto__` becomes an own property as JSON.parse makes it; nothing here merges objects by assignment.
 */
export function parseJson(input: Uint8Array | string, parse: (text: string) => unknown = parseExactly): ParsedJson {
  let text: string;
  try {
    text = typeof input === 'string' ? input : decoder.decode(input);
  } catch {
    return { ok: false, fault: 'not_utf8' };
  }
  if (!depthWithin(text, JSON_DEPTH_MAX)) return { ok: false, fault: 'too_deep' };
  try {
    return { ok: true, value: parse(text) as Json };
  } catch {
    return { ok: false, fault: 'not_json' };
  }
}

/** Reads JSON that this program wrote itself; anything else is a bug and throws. */
export function reviveJson<T>(text: string): T {
  return parseExactly(text) as T;
}

/** JSON with sorted keys and no white space: equal values give equal texts (RFC 8785's order of keys). */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object' || JSON.isRawJSON(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as Json)}`);
  return `{${fields.join(',')}}`;
}

/** SHA-256 of the canonical form, base64url. */
export function fingerprintJson(value: Json): string {
  return createHash('sha256').update(canonicalJson(value)).digest('base64url');
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

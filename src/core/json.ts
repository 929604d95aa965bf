import { createHash } from 'node:crypto';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Deeper than this is an attack or a mistake; recursive code may rely on the bound. */
export const JSON_DEPTH_MAX = 100;

export type JsonFault = 'not_utf8' | 'not_json' | 'too_deep';
export type ParsedJson = { ok: true; value: Json } | { ok: false; fault: JsonFault };

/** Only texts with so many digits in a row, a point among them, or an exponent, can hold a number that parsing changes. */
const MAY_BE_INEXACT = /\d[\d.]{15}|\d[eE]/;
/** Programs write so many at most of a number as they hold it, and then it is the same one here. */
const SIGNIFICANT_DIGITS_MAX = 17;

/**
 * The path of a number that cannot be handed on as it was sent: a whole one beyond 2^53, one of more than 17 digits, or one
 * so large that it becomes infinite, or so small that nothing is left. Null where there is none. One of 17 digits is the
 * nearest number that there is. Amounts of money are what this is about.
 */
export function findInexactNumber(text: string): string | null {
  if (!MAY_BE_INEXACT.test(text)) return null;
  const changed = Symbol('changed by parsing');
  const marked: unknown = JSON.parse(text, (_key, value: unknown, context?: { source?: string }) => {
    const { source = '' } = context ?? {};
    if (typeof value !== 'number' || source === '') return value;
    return isKept(value, source) ? value : changed;
  });
  return pathTo(marked, changed);
}

function isKept(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return false;
  const [mantissa = '', exponent] = source.split(/[eE]/, 2);
  const digits = significantDigits(mantissa);
  if (digits > SIGNIFICANT_DIGITS_MAX || (value === 0 && digits > 0)) return false;
  return Number(exponent ?? 0) > 0 || !Number.isInteger(value) || Number.isSafeInteger(value);
}

/** From the first digit that is not zero to the last one. By hand, because a regular expression takes squared time for zeros. */
function significantDigits(mantissa: string): number {
  const digits = mantissa.replaceAll(/[-.]/g, '');
  let from = 0;
  let to = digits.length;
  while (digits[from] === '0') from++;
  while (to > from && digits[to - 1] === '0') to--;
  return to - from;
}

function pathTo(value: unknown, wanted: symbol): string | null {
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, held] of Object.entries(value)) {
    if (held === wanted) return key;
    const below = pathTo(held, wanted);
    if (below !== null) return `${key}.${below}`;
  }
  return null;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses untrusted JSON. Bytes must be valid UTF-8; at most `JSON_DEPTH_MAX` levels.
 * `__proto__` becomes an own property as JSON.parse makes it; nothing here merges objects by assignment.
 */
export function parseJson(input: Uint8Array | string): ParsedJson {
  let text: string;
  try {
    text = typeof input === 'string' ? input : decoder.decode(input);
  } catch {
    return { ok: false, fault: 'not_utf8' };
  }
  if (!depthWithin(text, JSON_DEPTH_MAX)) return { ok: false, fault: 'too_deep' };
  try {
    return { ok: true, value: JSON.parse(text) as Json };
  } catch {
    return { ok: false, fault: 'not_json' };
  }
}

/** Reads JSON that this program wrote itself; anything else is a bug and throws. */
export function reviveJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

/** Brackets outside strings, counted before the parser recurses. Short texts cannot be too deep. */
function depthWithin(text: string, max: number): boolean {
  if (text.length <= max) return true;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) {
      i = endOfString(text, i + 1);
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > max) return false;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return true;
}

/** Index of the closing quote; jumps from quote to quote, which is what makes the scan cheap. */
function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return quote;
  }
  return text.length;
}

/** JSON with sorted keys and no white space: equal values give equal texts (RFC 8785's order of keys). */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
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
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

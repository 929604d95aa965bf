import { randomUUID } from 'node:crypto';
import { endOfString } from './json-text.ts';

/** A number as it was written, because no number of JavaScript holds it: `JSON.stringify` writes it as it was. */
export interface ExactNumber {
  readonly rawJSON: string;
}

declare global {
  /** ECMAScript's "JSON.parse source text access", which TypeScript's library does not know yet. */
  interface JSON {
    rawJSON(text: string): ExactNumber;
    isRawJSON(value: unknown): value is ExactNumber;
  }
}

/** Only texts with so many digits in a row outside of a word, a point among them, or an exponent, can hold a number that parsing changes. */
const MAY_BE_INEXACT = /(?:^|[[:,\s])-?(?:\d[\d.]{15}|[\d.]+[eE])/;
/** Programs write so many at most of a number as they hold it, and then it is the same one here. */
const SIGNIFICANT_DIGITS_MAX = 17;

/**
 * Parses JSON text. A number that parsing would change is held as it is written: a whole one beyond 2^53, one of more than 17
 * digits, or one so large that it becomes infinite, or so small that nothing is left. One of 17 digits is the nearest
 * number that there is. Amounts of money are what this is about. Takes a time that grows with the text, whatever it holds; calls
 * itself once a level. Throws `SyntaxError`.
 */
export function parseExactly(text: string): unknown {
  if (!MAY_BE_INEXACT.test(text)) return JSON.parse(text);
  // A reviver would be told of each number's text, and take a microsecond for each value of hostile megabytes.
  const mark = randomUUID();
  const marked = markInexactNumbers(text, mark);
  const value: unknown = JSON.parse(marked ?? text);
  return marked === null ? value : restoreNumbers(value, mark);
}

/** The path of the first number in JSON text that parsing would change; null: there is none. Throws `SyntaxError`. */
export function findInexactNumber(text: string): string | null {
  return MAY_BE_INEXACT.test(text) ? pathToExact(parseExactly(text)) : null;
}

function pathToExact(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, held] of Object.entries(value)) {
    if (JSON.isRawJSON(held)) return key;
    const below = pathToExact(held);
    if (below !== null) return `${key}.${below}`;
  }
  return null;
}

/** The text with strings in the place of such numbers, each of `mark` and the number; null: there are none. */
function markInexactNumbers(text: string, mark: string): string | null {
  let marked = '';
  let done = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i + 1);
    else if (code === MINUS || isDigit(code)) {
      const end = endOfNumber(text, i);
      const source = text.slice(i, end);
      if (!isKept(source)) {
        marked += `${text.slice(done, i)}"${mark}${source}"`;
        done = end;
      }
      i = end - 1;
    }
  }
  return done === 0 ? null : marked + text.slice(done);
}

function restoreNumbers(value: unknown, mark: string): unknown {
  if (typeof value === 'string' && value.startsWith(mark)) return JSON.rawJSON(value.slice(mark.length));
  if (typeof value !== 'object' || value === null) return value;
  const holder = value as Record<string, unknown>;
  for (const key of Object.keys(holder)) {
    const held = holder[key];
    const restored = restoreNumbers(held, mark);
    if (restored !== held) holder[key] = restored;
  }
  return holder;
}

const QUOTE = 0x22;
const MINUS = 0x2d;
const NUMBER_REST = /[\d.eE+-]*/y;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function endOfNumber(text: string, from: number): number {
  NUMBER_REST.lastIndex = from;
  NUMBER_REST.test(text);
  return NUMBER_REST.lastIndex;
}

function isKept(source: string): boolean {
  const value = Number(source);
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

import { randomBytes } from 'node:crypto';
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
/** Programs write so many at most of a number as they hold it, and then it is the nearest one here. */
const SIGNIFICANT_DIGITS_MAX = 17;
/** So many numbers of a text are held as they are written; each takes some hundred bytes, and a hostile text has millions. */
const EXACT_NUMBERS_MAX = 100_000;

/**
 * Parses JSON text. A number whose value parsing would change is held as it is written: amounts of money are what this is
 * about. Of very many such numbers in one text the rest are the nearest ones that there are. Takes a time that grows with the
 * text, whatever it holds; calls itself once a level. Throws `SyntaxError`.
 */
export function parseExactly(text: string): unknown {
  if (!MAY_BE_INEXACT.test(text)) return JSON.parse(text);
  // A reviver would be told of each number's text too, and take a microsecond for each value.
  const mark = newMark();
  const marked = markNumbers(text, mark, { isKept: isSame, max: EXACT_NUMBERS_MAX });
  return marked === null ? JSON.parse(text) : restoreNumbers(JSON.parse(marked), mark);
}

/**
 * The path of the first number in JSON text that is far from any number here: a whole one beyond 2^53, one of more than 17
 * digits, or one so large that it becomes infinite, or so small that nothing is left. Null: there is none,
 * save in a member that a later one of the same name has replaced. Throws `SyntaxError` where it looks at a text that is no JSON.
 */
export function findInexactNumber(text: string): string | null {
  if (!MAY_BE_INEXACT.test(text)) return null;
  const mark = newMark();
  const marked = markNumbers(text, mark, { isKept: isNear, max: Infinity });
  return marked === null ? null : pathToMark(JSON.parse(marked), mark);
}

function pathToMark(value: unknown, mark: string): string | null {
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, held] of Object.entries(value)) {
    if (typeof held === 'string' && held.startsWith(mark)) return key;
    const below = pathToMark(held, mark);
    if (below !== null) return `${key}.${below}`;
  }
  return null;
}

interface Marking {
  isKept: (source: string) => boolean;
  /** How many numbers that are not kept are marked at most. */
  max: number;
}

/** Nobody who writes a text knows the mark. */
function newMark(): string {
  return randomBytes(12).toString('base64url');
}

const QUOTE = 0x22;
const MINUS = 0x2d;
const NUMBER_REST = /[\d.eE+-]*/y;
const COLON_NEXT = /[ \t\r\n]*:/y;

/** The text with strings in the place of numbers that are not kept, each of `mark` and the number; null: there are none. */
function markNumbers(text: string, mark: string, { isKept, max }: Marking): string | null {
  let marked = '';
  let done = 0;
  for (let i = 0, left = max; i < text.length && left > 0; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i + 1);
    else if (code === MINUS || isDigit(code)) {
      const end = endOf(NUMBER_REST, text, i);
      const source = text.slice(i, end);
      if (!isKept(source)) {
        // A string would be a key there, and a number is none.
        if (endOf(COLON_NEXT, text, end) > end) throw new SyntaxError('a number stands where a key belongs');
        marked += `${text.slice(done, i)}"${mark}${source}"`;
        done = end;
        left--;
      }
      i = end - 1;
    }
  }
  return done === 0 ? null : marked + text.slice(done);
}

function restoreNumbers(value: unknown, mark: string): unknown {
  if (typeof value === 'string') return value.startsWith(mark) ? JSON.rawJSON(value.slice(mark.length)) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = restoreNumbers(value[i], mark);
    return value;
  }
  const holder = value as Record<string, unknown>;
  for (const key of Object.keys(holder)) {
    const held = holder[key];
    const restored = restoreNumbers(held, mark);
    if (restored !== held) holder[key] = restored;
  }
  return holder;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Where what `pattern` finds at `from` ends; `from` itself where it finds nothing. */
function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

/** Whether the number here has the very value that is written. */
function isSame(source: string): boolean {
  const text = String(Number(source));
  return text === source || valueOf(text) === valueOf(source);
}

function isNear(source: string): boolean {
  const value = Number(source);
  if (!Number.isFinite(value)) return false;
  const [mantissa = '', exponent] = source.split(/[eE]/, 2);
  const { length } = significantDigits(mantissa.replaceAll(/[-.]/g, '')).digits;
  if (length > SIGNIFICANT_DIGITS_MAX || (value === 0 && length > 0)) return false;
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return true;
  // Programs write so what they hold themselves as a number like ours, `1e21`; a whole amount has its digits.
  return Number(exponent ?? 0) > 0 && isSame(source);
}

/** The same text for two spellings of one value, their signs apart. */
function valueOf(text: string): string {
  const [mantissa = '', exponent = '0'] = text.split(/[eE]/, 2);
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.', 2);
  const { digits, zerosBehind } = significantDigits(whole + fraction);
  return digits === '' ? '0' : `${digits}e${Number(exponent) - fraction.length + zerosBehind}`;
}

/** From the first digit that is not zero to the last one. By hand, because a regular expression takes squared time for zeros. */
function significantDigits(digits: string): { digits: string; zerosBehind: number } {
  let from = 0;
  let to = digits.length;
  while (digits[from] === '0') from++;
  while (to > from && digits[to - 1] === '0') to--;
  return { digits: digits.slice(from, to), zerosBehind: digits.length - to };
}

import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** `run_` and 26 characters of Crockford base 32: 48 bits of milliseconds, then 80 bits of chance. */
export type RunId = Branded<string, 'RunId'>;
/** One incarnation of a serving process. */
export type Owner = Branded<string, 'Owner'>;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const RUN_ID = /^run_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

export interface Ids {
  run(): RunId;
  owner(): Owner;
  request(): string;
  credential(): string;
}

/**
 * Makes ids that sort by the time they were made (random ones cost a third more at the index).
 * Within one millisecond the random part counts up, so ids of one process strictly increase.
 */
export function createIds({ clock, random }: { clock: Clock; random: Random }): Ids {
  let lastMs = -1;
  let tail: number[] = [];
  // All but the last digit as text: a busy process makes many ids in a millisecond, which differ in that one alone.
  let stem = '';
  function next(): string {
    const now = Math.max(clock.now(), lastMs);
    const stemHolds = now === lastMs && tail.at(-1) !== 31;
    if (now === lastMs) increment(tail);
    else tail = Array.from(random.bytes(16), (byte) => byte & 31);
    lastMs = now;
    if (!stemHolds) stem = encodeTime(now) + encodeDigits(tail.slice(0, -1));
    return stem + ALPHABET[tail.at(-1) ?? 0];
  }
  return {
    run: () => `run_${next()}` as RunId,
    owner: () => `own_${next()}` as Owner,
    request: () => `req_${next()}`,
    credential: () => `cred_${next()}`,
  };
}

function encodeTime(ms: number): string {
  let text = '';
  for (let rest = ms, i = 0; i < 10; i++) {
    text = ALPHABET[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function encodeDigits(digits: readonly number[]): string {
  return digits.map((digit) => ALPHABET[digit]).join('');
}

function increment(digits: number[]): void {
  for (let i = digits.length - 1; i >= 0; i--) {
    const digit = digits[i] ?? 0;
    if (digit < 31) {
      digits[i] = digit + 1;
      return;
    }
    digits[i] = 0;
  }
}

/** Reads a run id that a caller sent; null where it cannot be one. */
export function parseRunId(text: string): RunId | null {
  return RUN_ID.test(text) ? (text as RunId) : null;
}

/** The smallest run id that could have been made at `ms`, for scans by age. */
export function firstRunIdAt(ms: number): RunId {
  return `run_${encodeTime(Math.max(0, ms))}${'0'.repeat(16)}` as RunId;
}

import type { Json, JsonObject } from '../core/json.ts';
import type { Random } from '../core/random.ts';
import type { Plan } from './plan.ts';

const VALUE_CHARACTERS_MAX = 10_000;

/** A version 4 UUID. */
export function uuid(random: Random): string {
  const bytes = Uint8Array.from(random.bytes(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Lower case hexadecimal digits, two a byte. */
export function randomHex(random: Random, bytes: number): string {
  return hex(random.bytes(bytes));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** What a simulated workflow answers: a sentence that repeats its inputs. */
export function sentenceAbout(workflow: string, inputs: JsonObject): string {
  const parts = Object.entries(inputs).map(([name, value]) => `${name} = ${shown(value)}`);
  return parts.length === 0
    ? `Result of ${workflow}, which was given nothing.`
    : `Result of ${workflow} for ${parts.join('; ')}.`;
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}…` : text;
}

/**
 * An answer in the pieces in which it is streamed: the words of the sentence, or as many made-up ones as the plan
 * wants, with characters of two, three and four bytes. Joined they are what a call without a stream answers.
 */
export function piecesOf({ stream }: Plan, sentence: string): string[] {
  const { pieces } = stream;
  if (pieces === null) return sentence.match(/\S+\s*/g) ?? [sentence];
  return Array.from({ length: pieces }, (_, i) => `pièce ${i + 1} ✓ 🦊 `);
}

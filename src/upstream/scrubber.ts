import type { Secret } from '../core/secret.ts';
import { EchoBlotter } from './echo-blotter.ts';
import { EchoForms } from './echo-forms.ts';
import { base64TextsOf, escapeSigns, textsOf, unbrokenPartsOf, worthScrubbing } from './secret-forms.ts';

/** Of a character that JSON need not escape, or could escape in two characters. */
const NEEDLESS_ESCAPE = /\\(?:u00[2-7][0-9a-f]|\/)/i;
const NOTHING = Buffer.alloc(0);
const IDLE: Scrubber = {
  text: (value) => value,
  unicode: (value) => value,
  bytes: (body) => body,
  stream: () => ({ push: (chunk) => chunk, end: () => NOTHING }),
};
const ASCII = /^[\0-\x7f]*$/;
/** So many characters of a form are searched for at first: more would take long where they repeat themselves. */
const PLAIN_LENGTH_MAX = 64;

/** Blots out a call's secrets, in every form in which a vendor might echo them. */
export interface Scrubber {
  /** For text whose characters stand for bytes, such as header values. */
  text(value: string): string;
  /** For text that was decoded. */
  unicode(value: string): string;
  /** The same bytes where nothing was found. */
  bytes(body: Buffer): Buffer;
  /** For bytes that come in pieces; what JSON escapes twice over without need is not undone in them. */
  stream(): StreamScrubber;
}

/** Blots secrets out of a stream, wherever an echo is cut in two. */
export interface StreamScrubber {
  /** What can be handed on now; empty where all of it might be the beginning of an echo. The same bytes where nothing was found. */
  push(chunk: Buffer): Buffer;
  /** Hands on what was held back, without waiting for what may follow. More may be pushed. */
  end(): Buffer;
}

/**
 * Finds a secret as it is, in capitals or small letters, JSON-escaped (any character as \uXXXX, or in two characters; also in
 * JSON within JSON), HTML-escaped, percent-encoded (any character, also twice), as a form writes it, in hexadecimal, and
 * base64 (standard and URL alphabet, alone or inside a longer text such as `user:secret`, also in lines). Nearly every answer
 * holds none of them, so plain searches come first, and escaped forms are looked for only where escapes are seen.
 */
export function createScrubber(secrets: readonly string[], onGivenUp: () => void = doNothing): Scrubber {
  return scrubberFor(lookFor(secrets), onGivenUp);
}

/**
 * The scrubber of a call's secrets. What a single one is looked for by is listed once for each time that it was read.
 * `onGivenUp`: a text was replaced by a mask, because to search it would have taken too long.
 */
export function scrubberOf(secrets: readonly Secret[], onGivenUp: () => void): Scrubber {
  const [only, ...more] = secrets;
  if (only === undefined) throw new Error('an answer without a request');
  if (more.length === 0) return scrubberFor(only.derive(lookForOne), onGivenUp);
  return createScrubber(secrets.flatMap(textsToFind), onGivenUp);
}

function doNothing(): void {}

/** What secrets are looked for by: all that is needed as long as nothing looks like an echo. */
interface LookedFor {
  wanted: readonly string[];
  plain: readonly string[];
  signs: readonly string[];
}

function lookFor(secrets: readonly string[]): LookedFor {
  const wanted = worthScrubbing(secrets);
  const texts = wanted.flatMap(textsOf);
  const inLines = new Set(wanted.flatMap(base64TextsOf));
  const plain = texts.flatMap((text) =>
    inLines.has(text) ? unbrokenPartsOf(text) : [Buffer.from(text).toString('latin1').slice(0, PLAIN_LENGTH_MAX)],
  );
  return { wanted, plain: [...new Set(plain)], signs: [...new Set(texts.flatMap(escapeSigns))] };
}

function lookForOne(secret: Secret): LookedFor {
  return lookFor(textsToFind(secret));
}

/** A run outlives a rotation, and the record that a vendor has of it may repeat what it was begun with. */
function textsToFind(secret: Secret): string[] {
  return [secret, ...secret.before].map((one) => one.open());
}

function scrubberFor({ wanted, plain, signs }: LookedFor, onGivenUp: () => void): Scrubber {
  if (wanted.length === 0) return IDLE;
  const shortest = Math.min(...wanted.map(({ length }) => length));
  // Not kept beyond this scrubber, since it may grow large.
  let made: EchoForms | null = null;
  const blotter = () => new EchoBlotter((made ??= new EchoForms(wanted)), onGivenUp);
  const isSuspicious = (value: string) => {
    const found = (form: string) => value.includes(form);
    // No form is shorter than the secret itself.
    return value.length >= shortest && (plain.some(found) || signs.some(found));
  };
  const text = (value: string) => {
    if (!isSuspicious(value)) return value;
    const whole = blotter();
    return whole.push(value) + whole.end();
  };
  const bytes = (body: Buffer) => {
    // Searching one string many times costs a third of searching the bytes as often.
    const before = body.toString('latin1');
    // As it came first: what looks like a needless escape may be the secret's own, in what is no JSON. Then without, since
    // escapes may be escaped themselves.
    const asItCame = text(before);
    const plainer = hasNeedlessEscapes(asItCame) ? withoutNeedlessEscapes(asItCame) : asItCame;
    const after = plainer === asItCame ? plainer : text(plainer);
    if (after !== plainer) return Buffer.from(after, 'latin1');
    // What holds no secret stays as it came, escapes and all.
    return asItCame === before ? body : Buffer.from(asItCame, 'latin1');
  };
  // The forms are those of the secret's bytes; only in ASCII are they those of its characters too.
  const isPlain = wanted.every((secret) => ASCII.test(secret));
  const unicode = (value: string) => {
    if (isPlain && !hasNeedlessEscapes(value)) return text(value);
    const body = Buffer.from(value);
    const clean = bytes(body);
    // Half of a surrogate pair has no bytes of its own.
    return clean === body ? value : clean.toString();
  };
  return { text, unicode, bytes, stream: () => streamOf(blotter()) };
}

function streamOf(pieces: EchoBlotter): StreamScrubber {
  return {
    push(chunk) {
      const wasHolding = pieces.isHolding;
      const before = chunk.toString('latin1');
      const clean = pieces.push(before);
      return clean === before && !wasHolding ? chunk : Buffer.from(clean, 'latin1');
    },
    end: () => Buffer.from(pieces.end(), 'latin1'),
  };
}

/** Whether a text, if it is JSON, could say the same more plainly: then a secret in it may be escaped twice over. */
export function hasNeedlessEscapes(text: string): boolean {
  return NEEDLESS_ESCAPE.test(text);
}

/**
 * Says the same in JSON. Some encoders escape `+`, `&` and more, also where these stand for a secret that is encoded
 * itself, such as base64's.
 */
function withoutNeedlessEscapes(json: string): string {
  return json.replace(/\\(?:u00([2-7][0-9a-f])|[^])/gi, (escape, hex: string | undefined) => {
    if (hex === undefined) return escape === '\\/' ? '/' : escape;
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return char === '"' || char === '\\' ? `\\${char}` : char;
  });
}

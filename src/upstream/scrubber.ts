import type { Secret } from '../core/secret.ts';
import { EscapedSecret, SearchEffort } from './escaped-secret.ts';
import { escapable, plainForms, worthScrubbing, type Form } from './secret-forms.ts';

const MASK = '[secret]';
/** Of a character that JSON need not escape, or could escape in two characters. */
const NEEDLESS_ESCAPE = /\\u00[2-7][0-9a-f]/i;
/** Few texts hold so many characters of a secret by accident. */
const PATTERN_LENGTH = 3;
const NOWHERE: readonly Place[] = [];
const ASCII = /^[\0-\x7f]*$/;

export interface Place {
  readonly from: number;
  readonly to: number;
}

/**
 * Blots out a call's secrets, in every form in which a vendor might echo them. All throw where the search costs too much;
 * pieces of one text are searched with one `effort`.
 */
export interface Scrubber {
  /** For text whose characters stand for bytes, such as header values. */
  text(value: string, effort?: SearchEffort): string;
  /** For text that was decoded. */
  unicode(value: string): string;
  /** Where in such text the secrets are; the places may overlap. */
  places(value: string, effort?: SearchEffort): readonly Place[];
  /** The same bytes where nothing was found. */
  bytes(body: Buffer): Buffer;
}

/**
 * Finds a secret as it is, in capitals or small letters, JSON-escaped (any character as \uXXXX, `\/`; also in JSON within
 * JSON), HTML-escaped, percent-encoded (any character), in hexadecimal, and base64 (standard and URL alphabet, alone or
 * inside a longer text such as `user:secret`). Nearly every answer holds none of
 * them, so plain searches come first, and escaped forms are looked for only where escapes are seen.
 */
export function createScrubber(...secrets: string[]): Scrubber {
  return scrubberFor(lookFor(secrets));
}

/** The scrubber of a call's secrets. What a single one is looked for by is listed once for each time that it was read. */
export function scrubberOf(secrets: readonly Secret[]): Scrubber {
  const [only, ...more] = secrets;
  if (only === undefined) throw new Error('an answer without a request');
  if (more.length === 0) return scrubberFor(only.derive(lookForOne));
  return createScrubber(...secrets.map((secret) => secret.open()));
}

/** What secrets are looked for by: all that is needed as long as nothing looks like an echo. */
interface LookedFor {
  wanted: readonly string[];
  plain: readonly string[];
  signs: readonly string[];
}

function lookFor(secrets: readonly string[]): LookedFor {
  const wanted = worthScrubbing(secrets);
  return { wanted, plain: wanted.flatMap(plainForms), signs: [...new Set(wanted.flatMap(escapeSigns))] };
}

function lookForOne(secret: string): LookedFor {
  return lookFor([secret]);
}

function scrubberFor({ wanted, plain, signs }: LookedFor): Scrubber {
  const shortest = wanted.at(-1)?.length;
  if (shortest === undefined) {
    return { text: (value) => value, unicode: (value) => value, places: () => [], bytes: (body) => body };
  }
  // Not kept beyond this scrubber, since it may grow large.
  let made: ReturnType<typeof createSearch> | null = null;
  const search = (value: string, effort: SearchEffort) => (made ??= createSearch(wanted, plain))(value, effort);
  const isSuspicious = (value: string) => {
    const found = (form: string) => value.includes(form);
    // No form is shorter than the secret itself.
    return value.length >= shortest && (plain.some(found) || signs.some(found));
  };
  const places = (value: string, effort?: SearchEffort) =>
    isSuspicious(value) ? search(value, effort ?? new SearchEffort()) : NOWHERE;
  const text = (value: string, effort?: SearchEffort) => masked(value, places(value, effort));
  const bytes = (body: Buffer) => {
    // Searching one string many times costs a third of searching the bytes as often.
    const before = body.toString('latin1');
    const plainer = hasNeedlessEscapes(before) ? withoutNeedlessEscapes(before) : before;
    // What holds no secret stays as it came, escapes and all.
    const after = text(plainer);
    return after === plainer ? body : Buffer.from(after, 'latin1');
  };
  // The forms are those of the secret's bytes; only in ASCII are they those of its characters too.
  const isPlain = wanted.every((secret) => ASCII.test(secret));
  const unicode = (value: string) =>
    isPlain && !hasNeedlessEscapes(value) ? text(value) : bytes(Buffer.from(value)).toString();
  return { text, unicode, places, bytes };
}

/** Finds what the longest echo covers from each place on. */
function createSearch(wanted: readonly string[], plain: readonly string[]) {
  const escaped = escapable(wanted).map((secret) => new EscapedSecret(secret));
  // A pattern of all the forms would take ages on a text that nearly holds them, and V8 refuses it where a secret is long.
  const beginnings = [
    ...escaped.map((one) => one.beginning(PATTERN_LENGTH).map(anyOf).join('')),
    ...plain.map((form) => quote(form.slice(0, PATTERN_LENGTH))),
  ];
  const beginning = new RegExp([...new Set(beginnings)].join('|'), 'g');
  const longestEnd = (text: string, from: number, effort: SearchEffort) => {
    let longest = 0;
    for (const form of plain) if (text.startsWith(form, from)) longest = Math.max(longest, from + form.length);
    for (const one of escaped) longest = Math.max(longest, one.read(text, from, effort).end ?? 0);
    return longest;
  };
  return (text: string, effort: SearchEffort): Place[] => {
    effort.allow(text);
    const found: Place[] = [];
    beginning.lastIndex = 0;
    for (let hit = beginning.exec(text); hit !== null; hit = beginning.exec(text)) {
      const from = hit.index;
      const to = longestEnd(text, from, effort);
      if (to > 0) found.push({ from, to });
      // Within an echo too: its longest reading may hold the first character of a next one.
      beginning.lastIndex = from + 1;
    }
    return found;
  };
}

function anyOf(forms: readonly Form[]): string {
  return `(?:${forms.map(formPattern).join('|')})`;
}

function formPattern({ text, anyCase }: Form): string {
  const quoted = quote(text);
  return anyCase ? quoted.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`) : quoted;
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** The places are in the order of where they begin, and may overlap. */
function masked(text: string, places: readonly Place[]): string {
  let clean = '';
  let after = 0;
  for (const { from, to } of places) {
    if (from >= after) clean += text.slice(after, from) + MASK;
    after = Math.max(after, to);
  }
  return after === 0 ? text : clean + text.slice(after);
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
    if (hex === undefined) return escape;
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return char === '"' || char === '\\' ? `\\${char}` : char;
  });
}

/** What a text must hold if the secret is in it in an escaped form. */
function escapeSigns(secret: string): string[] {
  const short = ['/', '"', '\\'].filter((char) => secret.includes(char)).map((char) => `\\${char}`);
  return ['%', '\\u', ...short, ...(/[&<>"'/]/.test(secret) ? ['&'] : [])];
}

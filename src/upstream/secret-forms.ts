/** One way in which a vendor may write a character, or a whole secret, as latin1 text of its bytes. */
export interface Form {
  readonly text: string;
  /** Its hexadecimal digits may be capitals; `text` has small ones. */
  readonly anyCase: boolean;
}

/** Shorter values are no secrets, and blotting them out would spoil ordinary text. */
const SECRET_LENGTH_MIN = 6;
/** Shorter ones may be words, which texts hold in capitals or small letters for reasons of their own. */
const NO_WORD_LENGTH_MIN = 16;
/** How many backslashes stand for one, in JSON and in JSON within JSON, three deep. */
const BACKSLASHES = ['\\', '\\\\', '\\\\\\\\'];
/** What follows the backslash where JSON writes a character in two. Quotes and backslashes, escaped anew at each level, are dealt with apart. */
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '/': '/',
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
};
// eslint-disable-next-line no-control-regex -- they are what is escaped
const JSON_ESCAPED = /["\\\0-\x1f]/;
const ENTITIES: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' };
/** What HTML's own rules, or careful templates, escape; the others by their number. */
const HTML_ESCAPED = /[&<>"'/`=+]/;

/** What is worth looking for. */
export function worthScrubbing(secrets: readonly string[]): string[] {
  return secrets.filter((secret) => secret.length >= SECRET_LENGTH_MIN);
}

/**
 * The secret as it is, in capitals, in small letters and in hexadecimal, and what base64 makes of it at each of its three
 * possible offsets, cut to the characters that depend on the secret alone.
 */
export function plainForms(secret: string): string[] {
  const padded = Buffer.from(`\0\0${secret}`);
  const forms = [padded.toString('latin1', 2)];
  if (secret.length >= NO_WORD_LENGTH_MIN) {
    const hex = padded.toString('hex', 2);
    const inCases = casesOf(secret).map((text) => Buffer.from(text).toString('latin1'));
    forms.push(...new Set([...inCases, hex, hex.toUpperCase()].filter((form) => form !== forms[0])));
  }
  for (const offset of [0, 1, 2]) {
    const whole = Math.floor(((padded.length - 2 + offset) * 8) / 6);
    const standard = padded.toString('base64', 2 - offset).slice(Math.ceil((offset * 8) / 6), whole);
    forms.push(standard);
    if (/[+/]/.test(standard)) forms.push(standard.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}

/** What may be escaped: the secret, and where every JSON text escapes some of it, also its capitals and small letters. */
export function escapable(secrets: readonly string[]): string[] {
  const inCases = secrets
    .filter((secret) => secret.length >= NO_WORD_LENGTH_MIN && JSON_ESCAPED.test(secret))
    .flatMap(casesOf);
  return [...new Set([...secrets, ...inCases])];
}

function casesOf(secret: string): string[] {
  return [secret.toUpperCase(), secret.toLowerCase()];
}

/** A character as itself, as JSON, also within JSON, and HTML may escape it, and percent-encoded. */
export function formsOfCharacter(char: string): Form[] {
  const units = Array.from({ length: char.length }, (_, i) => char.charCodeAt(i).toString(16).padStart(4, '0'));
  const bytes = Array.from(Buffer.from(char), (byte) => byte.toString(16).padStart(2, '0'));
  const forms: Form[] = [
    { text: Buffer.from(char).toString('latin1'), anyCase: false },
    ...BACKSLASHES.map((slashes) => ({ text: units.map((unit) => `${slashes}u${unit}`).join(''), anyCase: true })),
    { text: bytes.map((byte) => `%${byte}`).join(''), anyCase: true },
    ...entitiesOf(char).map((text) => ({ text, anyCase: true })),
  ];
  if (char === '"') forms.push(...quotesWithin().map((text) => ({ text, anyCase: false })));
  if (char === '\\') forms.push(...BACKSLASHES.map((slashes) => ({ text: slashes + slashes, anyCase: false })));
  const short = SHORT_ESCAPES[char];
  if (char === '/') forms.push(...slashesWithin().map((text) => ({ text, anyCase: false })));
  else if (short !== undefined)
    forms.push(...BACKSLASHES.map((slashes) => ({ text: slashes + short, anyCase: false })));
  if (char === ' ') forms.push({ text: '+', anyCase: false });
  return forms;
}

/** Each time that JSON goes into JSON, a quote gets one backslash more than twice as many as it had. */
function quotesWithin(): string[] {
  return BACKSLASHES.map((slashes) => `${'\\'.repeat(slashes.length * 2 - 1)}"`);
}

/** Each of three encoders on the way may escape a slash or not: any number of backslashes up to a quote's. */
function slashesWithin(): string[] {
  const most = quotesWithin().at(-1)?.length ?? 0;
  return Array.from({ length: most - 1 }, (_, i) => `${'\\'.repeat(i + 1)}/`);
}

function entitiesOf(char: string): string[] {
  if (!HTML_ESCAPED.test(char)) return [];
  const code = char.charCodeAt(0);
  const name = ENTITIES[char];
  // PHP writes `&#039;`.
  return [...(name === undefined ? [] : [`&${name};`]), `&#${code};`, `&#0${code};`, `&#x${code.toString(16)};`];
}

/** What a text must hold if the secret is in it in an escaped form. */
export function escapeSigns(secret: string): string[] {
  const short = ['"', '\\', ...Object.keys(SHORT_ESCAPES)].filter((char) => secret.includes(char));
  const signs = ['%', '\\u', ...short.map((char) => `\\${SHORT_ESCAPES[char] ?? char}`)];
  if (HTML_ESCAPED.test(secret)) signs.push('&');
  if (secret.includes(' ')) signs.push('+');
  return signs;
}

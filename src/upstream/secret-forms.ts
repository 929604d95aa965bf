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
/** Each of three encoders on the way may escape a character, or what another has escaped it with, or not. */
const ESCAPES = Array.from({ length: 7 }, (_, i) => '\\'.repeat(i + 1));
/** What follows the backslash where JSON writes a character in two, other than that character itself. */
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
};
/**
 * What stands between lines of base64: as it is, in JSON, also within JSON, percent-encoded, also twice, and in XML, also in
 * JSON; in any case. So a letter behind it is taken for its capital too, which does no harm.
 */
const LINE_BREAKS: readonly Form[] = [
  '\n',
  '\r\n',
  ...BACKSLASHES.flatMap((slashes) => [`${slashes}n`, `${slashes}r${slashes}n`]),
  '\\u000a',
  '\\u000d\\u000a',
  '%0a',
  '%0d%0a',
  '%250a',
  '%250d%250a',
  ...['&#13;', '&#xd;'].flatMap((cr) =>
    ['\n', '&#10;', '&#xa;', ...BACKSLASHES.map((slashes) => `${slashes}n`)].map((lf) => cr + lf),
  ),
].map((text) => ({ text, anyCase: true }));
/** Whoever breaks base64 into lines makes them this long at least: Ruby 60, OpenSSL 64, MIME 76 characters. */
const LINE_LENGTH_MIN = 60;
/** Behind a line break a character is looked for in these forms alone: itself, percent-encoded, or with a backslash or two. */
const FORM_LENGTH_BEHIND_BREAK_MAX = 3;
const ENTITIES: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' };
/** What HTML's own rules, or careful templates, escape; the others by their number. */
const HTML_ESCAPED = /[&<>"'/`=+]/;

/** What is worth looking for. */
export function worthScrubbing(secrets: readonly string[]): string[] {
  return secrets.filter((secret) => secret.length >= SECRET_LENGTH_MIN);
}

/**
 * What a secret is echoed as: itself, in capitals, in small letters, in hexadecimal, and what base64 makes of it at each of
 * its three possible offsets, cut to the characters that depend on the secret alone.
 */
export function textsOf(secret: string): string[] {
  const texts = [secret];
  if (secret.length >= NO_WORD_LENGTH_MIN) {
    const hex = Buffer.from(secret).toString('hex');
    texts.push(secret.toUpperCase(), secret.toLowerCase(), hex, hex.toUpperCase());
  }
  for (const standard of base64TextsOf(secret)) {
    texts.push(standard, standard.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return [...new Set(texts)];
}

/** What base64's standard alphabet, which some break into lines, makes of a secret at each offset. */
export function base64TextsOf(secret: string): string[] {
  const padded = Buffer.from(`\0\0${secret}`);
  return [0, 1, 2].map((offset) => {
    const whole = Math.floor(((padded.length - 2 + offset) * 8) / 6);
    return padded.toString('base64', 2 - offset).slice(Math.ceil((offset * 8) / 6), whole);
  });
}

/** Two parts of a text of base64, one of which is whole however the text is broken into lines. */
export function unbrokenPartsOf(text: string): string[] {
  const line = text.slice(0, LINE_LENGTH_MIN);
  const middle = Math.ceil(line.length / 2);
  return [line.slice(0, middle), line.slice(middle)];
}

/** The forms of a character of base64 where a line may end before it. */
export function formsBehindBreak(char: string): Form[] {
  const forms = formsOfCharacter(char);
  const short = forms.filter(({ text }) => text.length <= FORM_LENGTH_BEHIND_BREAK_MAX);
  const behind = LINE_BREAKS.flatMap((lines) =>
    short.map(({ text, anyCase }) => ({ text: lines.text + text, anyCase: lines.anyCase || anyCase })),
  );
  return [...forms, ...behind];
}

/** A character as itself, as JSON, also within JSON, and HTML may escape it, and percent-encoded, also twice. */
export function formsOfCharacter(char: string): Form[] {
  const units = Array.from({ length: char.length }, (_, i) => char.charCodeAt(i).toString(16).padStart(4, '0'));
  const bytes = Array.from(Buffer.from(char), (byte) => byte.toString(16).padStart(2, '0'));
  const forms: Form[] = [
    { text: Buffer.from(char).toString('latin1'), anyCase: false },
    ...ESCAPES.map((slashes) => ({ text: units.map((unit) => `${slashes}u${unit}`).join(''), anyCase: true })),
    ...['%', '%25'].map((sign) => ({ text: bytes.map((byte) => sign + byte).join(''), anyCase: true })),
    ...entitiesOf(char).map((text) => ({ text, anyCase: true })),
  ];
  const short = SHORT_ESCAPES[char];
  if (char === '"' || char === '/') forms.push(...ESCAPES.map((slashes) => ({ text: slashes + char, anyCase: false })));
  else if (char === '\\') forms.push(...BACKSLASHES.map((slashes) => ({ text: slashes + slashes, anyCase: false })));
  else if (short !== undefined)
    forms.push(...BACKSLASHES.map((slashes) => ({ text: slashes + short, anyCase: false })));
  // .NET's JSON escapes the plus sign of a form.
  if (char === ' ') {
    forms.push(
      { text: '+', anyCase: false },
      ...ESCAPES.map((slashes) => ({ text: `${slashes}u002b`, anyCase: true })),
    );
  }
  return forms;
}

function entitiesOf(char: string): string[] {
  if (!HTML_ESCAPED.test(char)) return [];
  const code = char.charCodeAt(0);
  const name = ENTITIES[char];
  // PHP writes `&#039;`.
  const entities = [...(name === undefined ? [] : [`${name};`]), `#${code};`, `#0${code};`, `#x${code.toString(16)};`];
  // Go's JSON escapes the ampersand.
  return ['&', ...BACKSLASHES.map((slashes) => `${slashes}u0026`)].flatMap((and) => entities.map((one) => and + one));
}

/** What a text must hold if one of these is in it in an escaped form. */
export function escapeSigns(text: string): string[] {
  const short = ['"', '\\', '/', ...Object.keys(SHORT_ESCAPES)].filter((char) => text.includes(char));
  const signs = ['%', '\\u', ...short.map((char) => `\\${SHORT_ESCAPES[char] ?? char}`)];
  if (HTML_ESCAPED.test(text)) signs.push('&');
  if (text.includes(' ')) signs.push('+');
  return signs;
}

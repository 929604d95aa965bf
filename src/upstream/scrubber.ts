const MASK = '[secret]';
/** Shorter values are no secrets, and blotting them out would spoil ordinary text. */
const SECRET_LENGTH_MIN = 6;

/** Blots out one credential, in every form in which a vendor might echo it. */
export interface Scrubber {
  text(value: string): string;
  /** The same bytes where nothing was found. */
  bytes(body: Buffer): Buffer;
}

/**
 * Finds the secret as it is, JSON-escaped (any character as \uXXXX, `\/`), percent-encoded (any character), and base64
 * (standard and URL alphabet, alone or inside a longer text such as `user:secret`). Nearly every answer holds none of
 * them, so plain searches come first, and the pattern for escaped forms is made only where escapes are seen.
 */
export function createScrubber(secret: string): Scrubber {
  if (secret.length < SECRET_LENGTH_MIN) return { text: (value) => value, bytes: (body) => body };
  const plain = plainForms(secret);
  const signs = escapeSigns(secret);
  let made: RegExp | null = null;
  const pattern = () => (made ??= new RegExp([escapedPattern(secret), ...plain.map(quote)].join('|'), 'g'));
  const text = (value: string) => {
    // No form is shorter than the secret itself.
    if (value.length < secret.length) return value;
    const found = (form: string) => value.includes(form);
    const suspicious = plain.some(found) || signs.some(found);
    return suspicious ? value.replace(pattern(), MASK) : value;
  };
  return {
    text,
    bytes(body) {
      // Searching one string many times costs a third of searching the bytes as often.
      const before = body.toString('latin1');
      const after = text(before);
      return after === before ? body : Buffer.from(after, 'latin1');
    },
  };
}

/** What a text must hold if the secret is in it in an escaped form. */
function escapeSigns(secret: string): string[] {
  const short = ['/', '"', '\\'].filter((char) => secret.includes(char)).map((char) => `\\${char}`);
  return ['%', '\\u', ...short];
}

/** Each character as itself, as JSON may escape it, or percent-encoded. */
function escapedPattern(secret: string): string {
  return Array.from(secret, (char) => {
    const forms = [quote(Buffer.from(char).toString('latin1'))];
    const units = Array.from({ length: char.length }, (_, i) => char.charCodeAt(i).toString(16).padStart(4, '0'));
    forms.push(units.map((unit) => `\\\\u${anyCase(unit)}`).join(''));
    forms.push(Array.from(Buffer.from(char), (byte) => `%${anyCase(byte.toString(16).padStart(2, '0'))}`).join(''));
    if ('/"\\'.includes(char)) forms.push(`\\\\${quote(char)}`);
    if (char === ' ') forms.push('\\+');
    return `(?:${forms.join('|')})`;
  }).join('');
}

/**
 * The secret as it is, and what base64 makes of it at each of its three possible offsets, cut to the characters that
 * depend on the secret alone.
 */
function plainForms(secret: string): string[] {
  const padded = Buffer.from(`\0\0${secret}`);
  const forms = [padded.toString('latin1', 2)];
  for (const offset of [0, 1, 2]) {
    const whole = Math.floor(((padded.length - 2 + offset) * 8) / 6);
    const standard = padded.toString('base64', 2 - offset).slice(Math.ceil((offset * 8) / 6), whole);
    forms.push(standard);
    if (/[+/]/.test(standard)) forms.push(standard.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}

function anyCase(hex: string): string {
  return hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

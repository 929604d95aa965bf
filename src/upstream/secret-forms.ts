/** One way in which a vendor may write a character, or a whole secret, as latin1 text of its bytes. */
export interface Form {
  readonly text: string;
  /** Its hexadecimal digits may be capitals; `text` has small ones. */
  readonly anyCase: boolean;
}

/** Shorter values are no secrets, and blotting them out would spoil ordinary text. */
const SECRET_LENGTH_MIN = 6;

/** What is worth looking for; of two that begin alike the longer one comes first. */
export function worthScrubbing(secrets: readonly string[]): string[] {
  return secrets.filter((secret) => secret.length >= SECRET_LENGTH_MIN).toSorted((a, b) => b.length - a.length);
}

/**
 * The secret as it is, and what base64 makes of it at each of its three possible offsets, cut to the characters that
 * depend on the secret alone.
 */
export function plainForms(secret: string): string[] {
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

/** Of each character of the secret: as itself, as JSON may escape it, and percent-encoded. */
export function characterForms(secret: string): Form[][] {
  return Array.from(secret, (char) => {
    const units = Array.from({ length: char.length }, (_, i) => char.charCodeAt(i).toString(16).padStart(4, '0'));
    const bytes = Array.from(Buffer.from(char), (byte) => byte.toString(16).padStart(2, '0'));
    const forms: Form[] = [
      { text: Buffer.from(char).toString('latin1'), anyCase: false },
      { text: units.map((unit) => `\\u${unit}`).join(''), anyCase: true },
      { text: bytes.map((byte) => `%${byte}`).join(''), anyCase: true },
    ];
    if ('/"\\'.includes(char)) forms.push({ text: `\\${char}`, anyCase: false });
    if (char === ' ') forms.push({ text: '+', anyCase: false });
    return forms;
  });
}

import type { SeededRandom } from '../../simulation/seeded-random.ts';

/** Texts that have broken something somewhere. Each character stands for one byte. */
export const NASTY: readonly string[] = [
  '',
  ' ',
  '\t',
  '\0',
  'a\0b',
  '\x7f',
  '\x80\xff\xfe',
  '\xc0\xaf',
  '\xed\xa0\x80',
  '\xf0\x9f\x92\xa9',
  '\xe2\x80\xae',
  "' OR '1'='1",
  "'; DROP TABLE keys; --",
  "' UNION SELECT * FROM keys --",
  '1; ATTACH DATABASE "/tmp/x" AS y',
  "%' OR id LIKE '%",
  '") OR 1=1 --',
  '\\',
  '"',
  '%00',
  '%',
  '%zz',
  '%25%32%65',
  '${jndi:ldap://127.0.0.1/x}',
  '{{7*7}}',
  '__proto__',
  'constructor',
  'null',
  'undefined',
  'NaN',
  '[object Object]',
  '-1',
  '0',
  '1e309',
  '9007199254740993',
  '99999999999999999999',
  '../../../../etc/passwd',
  '..%2f..%2fadmin%2fkeys',
  '<script>alert(1)</script>',
  'a'.repeat(1_000),
  ','.repeat(500),
  ';q='.repeat(300),
  '='.repeat(64),
  '"'.repeat(301),
  '('.repeat(200),
];

/** Changes a text a little: what is nearly right goes deepest. */
export function mutate(random: SeededRandom, text: string): string {
  let changed = text;
  for (let times = 1 + random.below(3); times > 0; times--) changed = mutateOnce(random, changed);
  return changed;
}

function mutateOnce(random: SeededRandom, text: string): string {
  const at = random.below(text.length + 1);
  const byte = String.fromCharCode(random.below(256));
  switch (random.below(12)) {
    case 0:
      return text.slice(0, at) + byte + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + byte + text.slice(at + 1);
    case 3: {
      const code = text.charCodeAt(at);
      return Number.isNaN(code)
        ? text
        : text.slice(0, at) + String.fromCharCode((code ^ (1 << random.below(8))) & 255) + text.slice(at + 1);
    }
    case 4:
      return text.slice(0, at);
    case 5:
      return text + text;
    case 6:
      return text.slice(0, at) + random.pick(NASTY) + text.slice(at);
    case 7:
      return random.chance(0.5) ? text.toUpperCase() : text.toLowerCase();
    case 8:
      return text.split('').toReversed().join('');
    case 9:
      return text.slice(0, at) + '.' + text.slice(at);
    case 10:
      return text.slice(0, at) + (text[at] ?? 'x').repeat(1 + random.below(200)) + text.slice(at);
    default:
      return random.pick(NASTY);
  }
}

/** Flips one bit of what base64url stands for, and writes it as base64url again. */
export function flipBit(random: SeededRandom, encoded: string): string {
  const bytes = Buffer.from(encoded, 'base64url');
  const at = random.below(Math.max(1, bytes.length));
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes.toString('base64url');
}

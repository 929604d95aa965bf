import { createHmac } from 'node:crypto';
import type { SeededRandom } from '../../simulation/seeded-random.ts';
import { drawKeyParts, formatKey } from '../../../../src/access/key-format.ts';
import { flipBit, mutate, NASTY } from './mutate.ts';

/** What a caller who is one has. */
export interface Identities {
  runsKey: string;
  viewerKey: string;
  adminKey: string;
  /** `rgt_…` */
  token: string;
  /** Of the configured issuer. */
  jwt: string;
  /** The issuer's public key, as somebody would misuse it for a shared secret. */
  publicKeyPem: string;
}

const ALGORITHMS = [
  'none',
  'None',
  'nOnE',
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'PS256',
  'ES256',
  'EdDSA',
  'HS256 ',
  '',
  'dir',
  'A256KW',
];

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** An identity that is none: nearly right, or not at all. */
export function drawFalseIdentity(random: SeededRandom, of: Identities): string {
  const key = random.pick([of.runsKey, of.viewerKey, of.adminKey]);
  switch (random.below(9)) {
    case 0:
      return mutate(random, key);
    case 1:
      return wrongSecretOf(random, key);
    case 2:
      return formatKey(drawKeyParts(random));
    case 3:
      return mutate(random, random.chance(0.5) ? of.token : of.jwt);
    case 4:
      return `rgt_${damageJws(random, of.token.slice(4), of)}`;
    case 5:
      return damageJws(random, of.jwt, of);
    case 6:
      // One's form in the other's place.
      return random.pick([`rgt_${of.jwt}`, of.token.slice(4), `rgk_${of.token}`, key.replace('rgk_', 'rgt_')]);
    case 7:
      return giant(random);
    default:
      return random.pick(NASTY);
  }
}

/** Well-formed, with a checksum that is right. */
function wrongSecretOf(random: SeededRandom, key: string): string {
  return formatKey({ id: key.split('_')[1] ?? '', secret: drawKeyParts(random).secret });
}

function damageJws(random: SeededRandom, jws: string, { publicKeyPem }: Identities): string {
  const [head = '', claims = '', signature = ''] = jws.split('.');
  switch (random.below(10)) {
    case 0:
      return [flipBit(random, head), claims, signature].join('.');
    case 1:
      return [head, flipBit(random, claims), signature].join('.');
    case 2:
      return [head, claims, flipBit(random, signature)].join('.');
    case 3:
      return [withHeader(head, { alg: random.pick(ALGORITHMS) }), claims, random.chance(0.5) ? '' : signature].join(
        '.',
      );
    case 4:
      return signedWith(publicKeyPem, withHeader(head, { alg: 'HS256' }), claims);
    case 5:
      return signedWith(
        random.pick(['', '\0', 'secret', publicKeyPem.trim()]),
        withHeader(head, { alg: 'HS256', kid: random.pick(NASTY) }),
        claims,
      );
    case 6:
      return [
        withHeader(head, {
          crit: ['exp'],
          b64: false,
          jku: 'http://127.0.0.1:9/',
          jwk: { kty: 'oct', k: '' },
          x5u: 'http://127.0.0.1:9/',
        }),
        claims,
        signature,
      ].join('.');
    case 7:
      return [head, withClaims(random, claims), signature].join('.');
    case 8:
      // Another way to write the same last byte.
      return [head, claims, signature.slice(0, -1) + neighbourOf(random, signature.at(-1) ?? '')].join('.');
    default:
      return random.pick([
        `${head}.${claims}`,
        `${head}.${claims}.`,
        `${head}..${signature}`,
        `${jws}.`,
        `.${jws}`,
        `${jws}.${signature}`,
        '..',
        '...',
        `${jws}${jws}`,
      ]);
  }
}

/** Often one that stands for the same bits, as far as there are bytes of them. */
function neighbourOf(random: SeededRandom, char: string): string {
  return BASE64URL[BASE64URL.indexOf(char) ^ (1 + random.below(15))] ?? '=';
}

function withHeader(head: string, more: object): string {
  return encode({ ...decode(head), ...more });
}

function withClaims(random: SeededRandom, claims: string): string {
  const more = random.pick<object>([
    { exp: 9_999_999_999 },
    { exp: -1 },
    { exp: '9999999999' },
    { exp: null },
    { exp: 1e300 },
    { sub: 'somebody-else' },
    { sub: { $ne: null } },
    { workflows: ['*'] },
    { workflows: [] },
    { key: "' OR 1=1 --" },
    { aud: ['rungate', 'x'] },
    { iss: '__proto__' },
    { max_runs: -1 },
    { nested: nest(2_000) },
  ]);
  return encode({ ...decode(claims), ...more });
}

function signedWith(secret: string, head: string, claims: string): string {
  return `${head}.${claims}.${createHmac('sha256', secret).update(`${head}.${claims}`).digest('base64url')}`;
}

function giant(random: SeededRandom): string {
  const length = random.pick([500, 3_000, 8_000, 15_000]);
  return random.pick([
    `rgk_${'a'.repeat(length)}`,
    `rgt_${'a'.repeat(length)}.${'b'.repeat(10)}.${'c'.repeat(43)}`,
    `${encode({ alg: 'RS256', kid: 'x'.repeat(length) })}.e30.${'c'.repeat(342)}`,
    '.'.repeat(length),
    ' '.repeat(length),
  ]);
}

function nest(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

function decode(part: string): object {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as object;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

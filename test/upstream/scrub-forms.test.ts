import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { createOutputScrub } from '../../src/upstream/output-scrub.ts';
import { createScrubber } from '../../src/upstream/scrubber.ts';
import { escapedJson } from '../support/processes/canary/echo-texts.ts';
import { findMarkers, formsOf, makeSecret } from '../support/processes/canary/markers.ts';

const SECRET = makeSecret('forms');
/** A form by itself, and a longer text that is encoded with the secret in it. */
const FORMS = [
  ...formsOf(SECRET),
  ['in the base64 of a user and a password', Buffer.from(`user:${SECRET}`).toString('base64')],
  ['in the middle of base64', Buffer.from(`a${SECRET}b`).toString('base64url')],
] as const;

function expectGone(text: string): void {
  const hits = findMarkers([{ name: 'it', value: SECRET }], [{ place: 'there', bytes: Buffer.from(text) }]);
  expect(hits).toEqual([]);
  expect(text).toContain('[secret]');
}

describe.each(FORMS)('a secret %s', (_name, form) => {
  const sentence = `before ${form} after`;

  it('is blotted out of text', () => {
    expectGone(createScrubber(SECRET).text(sentence));
  });

  it.each([
    ['JSON', JSON.stringify],
    ['JSON that escapes every character', escapedJson],
    [
      'JSON that escapes what HTML does not like',
      (value: unknown) => JSON.stringify(value).replace(/[+<>&'/=]/g, unicode),
    ],
  ])('is blotted out of values and keys of %s', (_format, write) => {
    const body = createScrubber(SECRET).bytes(Buffer.from(write({ a: [sentence], [sentence]: 1 })));
    expectGone(JSON.stringify(JSON.parse(body.toString())));
  });

  it('is blotted out of pieces of any size', () => {
    for (const size of [1, 2, 3, 7, 50]) {
      const scrub = createOutputScrub([new Secret(SECRET)]);
      const pieces = sentence.match(new RegExp(`.{1,${size}}`, 'gs')) ?? [];
      expectGone(pieces.map((piece) => scrub.push(piece)).join('') + scrub.end());
    }
  });
});

describe('what holds no secret', () => {
  it('stays as it came, needless escapes in', () => {
    const body = Buffer.from('{"a":"\\u0041\\u002b\\u0022 \\\\u0041 \\/"}');
    expect(createScrubber(SECRET).bytes(body)).toBe(body);
  });

  it('is not taken for a short secret in capitals, which may be a word', () => {
    expect(createScrubber('production').text('Production, PRODUCTION')).toBe('Production, PRODUCTION');
  });
});

function unicode(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`;
}

describe('a secret that is too long for a pattern of all its forms', () => {
  const secret = `${makeSecret('long')}${'Aa0-'.repeat(2_000)}`;
  const escapes = '100% and no echo '.repeat(1_000);

  it.each([
    ['text', () => createScrubber(secret).text(escapes)],
    ['bytes', () => createScrubber(secret).bytes(Buffer.from(escapes))],
    ['places', () => createScrubber(secret).places(escapes)],
    ['a stream', () => createOutputScrub([new Secret(secret)]).push(escapes)],
  ])('is not spelled by the complaint of %s', (_what, search) => {
    expect(search).toThrow(/^a secret of this length cannot be looked for in a text with escapes$/);
  });

  it('is looked for all the same where nothing is escaped', () => {
    expect(createScrubber(secret).text('words and no echo '.repeat(1_000))).toBe('words and no echo '.repeat(1_000));
  });
});

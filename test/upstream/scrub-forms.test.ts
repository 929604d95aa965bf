import { describe, expect, it } from 'vitest';
import type { OutputScrub } from '../../src/core/outbound.ts';
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

function inPieces(scrub: OutputScrub, text: string): void {
  for (const char of text) scrub.push(char);
}

function unicode(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`;
}

describe('a secret of thousands of characters', () => {
  const secret = `${makeSecret('long')}${'Aa0-'.repeat(2_000)}`;
  const escapes = '100% and no echo '.repeat(1_000);

  it('is found escaped, in a text and in a stream', () => {
    const text = `${escapes}${escapedJson(secret)}${escapes}`;
    const clean = `${escapes}"[secret]"${escapes}`;
    expect(createScrubber(secret).text(text)).toBe(clean);
    const scrub = createOutputScrub([new Secret(secret)]);
    expect(scrub.push(text.slice(0, 30_000)) + scrub.push(text.slice(30_000)) + scrub.end()).toBe(clean);
  });
});

describe('a secret with many backslashes', () => {
  const secret = `token-${'\\'.repeat(18)}end`;

  it('is found in JSON within JSON', () => {
    const once = JSON.stringify({ said: secret });
    expect(createScrubber(secret).text(JSON.stringify(once))).toBe(
      JSON.stringify(once.replace(/token-.*end/, '[secret]')),
    );
  });

  it('is looked for in no time where there are twice as many', () => {
    const text = `token-${'\\'.repeat(40)}`.repeat(20);
    const begun = performance.now();
    expect(createScrubber(secret).text(text)).toBe(text);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});

describe('an echo whose end may be the beginning of a next one', () => {
  it('hides neither', () => {
    const secret = '\\token-0123\\';
    const escaped = Array.from(secret, unicode).join('');
    expect(createScrubber(secret).text(`a ${secret}${escaped} b`)).toBe('a [secret] b');
  });
});

describe('an answer that reads as a secret in more ways than anybody can look through', () => {
  const secret = '\\'.repeat(500);
  // Short of the last character's longest form wherever one begins, and not one that ends.
  const text = `${'\\'.repeat(499)} `.repeat(400);

  it.each([
    ['text', () => createScrubber(secret).text(text)],
    ['bytes', () => createScrubber(secret).bytes(Buffer.from(text))],
    ['places', () => createScrubber(secret).places(text)],
    ['a stream', () => createOutputScrub([new Secret(secret)]).push(text.trimEnd())],
    ['a stream of small pieces', () => inPieces(createOutputScrub([new Secret(secret)]), text.slice(0, 20_000))],
  ])('is refused as %s', (_what, search) => {
    expect(search).toThrow(/^an answer could be read as our secret in too many ways to look for all of them$/);
  });
});

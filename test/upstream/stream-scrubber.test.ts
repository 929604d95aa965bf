import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createScrubber } from '../../src/upstream/scrubber.ts';
import { SECRET } from './support.ts';

const unicode = Array.from(SECRET, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
const FORMS = [
  SECRET,
  JSON.stringify(SECRET).slice(1, -1).replaceAll('/', '\\/'),
  unicode,
  encodeURIComponent(SECRET),
  encodeURIComponent(SECRET).replace(/%../g, (one) => one.toLowerCase()),
  Buffer.from(SECRET).toString('base64'),
  Buffer.from(`u:${SECRET}`).toString('base64url'),
];

function scrub(secrets: string[], pieces: readonly (string | Buffer)[]): Buffer {
  const scrubber = createScrubber(secrets).stream();
  return Buffer.concat([...pieces.map((piece) => scrubber.push(Buffer.from(piece as string))), scrubber.end()]);
}

describe('the scrubber of streams', () => {
  it.each(FORMS)('finds %s cut at every place, and cut everywhere', (form) => {
    const text = Buffer.from(`before <${form}> after`);
    const whole = createScrubber([SECRET]).bytes(text).toString();
    expect(whole).toContain('[secret]');
    for (let at = 0; at <= text.length; at++) {
      expect(scrub([SECRET], [text.subarray(0, at), text.subarray(at)]).toString()).toBe(whole);
    }
    expect(
      scrub(
        [SECRET],
        Array.from(text, (byte) => Buffer.from([byte])),
      ).toString(),
    ).toBe(whole);
  });

  it('finds each of two secrets, one of which is the beginning of the other', () => {
    const [short, long] = ['token-0123', 'token-0123456789'];
    expect(scrub([short, long], [`a ${long.slice(0, 12)}`, `${long.slice(12)} b ${short} c`]).toString()).toBe(
      'a [secret] b [secret] c',
    );
  });

  it('finds a secret that is not ASCII in text that was decoded, too', () => {
    const secret = 'pässwörd-€uro';
    expect(createScrubber([secret]).unicode(`a ${secret} ü`)).toBe('a [secret] ü');
    expect(scrub([secret], ['a päss', 'wörd-€uro ü']).toString()).toBe('a [secret] ü');
  });

  it('changes nothing else, however it is cut, and holds back less than the longest form', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string().map((text) => Buffer.from(text + SECRET.slice(0, 9))),
    );
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 8 }), (chunks) => {
        const scrubber = createScrubber([SECRET]).stream();
        let into = 0;
        let out = 0;
        const pieces = chunks.map((chunk) => {
          const piece = scrubber.push(Buffer.from(chunk));
          into += chunk.length;
          out += piece.length;
          expect(into - out).toBeLessThan(SECRET.length * 6);
          return piece;
        });
        expect(Buffer.concat([...pieces, scrubber.end()])).toEqual(Buffer.concat(chunks));
      }),
    );
  });

  it('agrees with the scrubber of whole answers, wherever echoes are cut', () => {
    const part = fc.oneof(
      fc.constantFrom(...FORMS),
      fc.string({ maxLength: 6 }),
      fc.constantFrom(...FORMS.map((form) => form.slice(0, 5))),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 10 }), (parts, cuts) => {
        const text = Buffer.from(parts.join('\n'));
        const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((to, i) => text.subarray(at[i], to));
        expect(scrub([SECRET], pieces).toString()).toBe(createScrubber([SECRET]).bytes(text).toString());
      }),
    );
  });

  it('hands on at once what ends a line, and the same bytes where there is nothing to find', () => {
    const scrubber = createScrubber([SECRET]).stream();
    const chunk = Buffer.from('data: {"text":"an ordinary piece"}\n\n');
    expect(scrubber.push(chunk)).toBe(chunk);
    expect(scrubber.push(Buffer.from(`x ${SECRET.slice(0, 3)}`)).toString()).toBe('x ');
    expect(scrubber.push(Buffer.from('\n')).toString()).toBe(`${SECRET.slice(0, 3)}\n`);
  });

  it('takes no secret under six characters for one', () => {
    expect(scrub(['abc'], ['ab', 'c']).toString()).toBe('abc');
  });

  it('follows a secret and a text of backslashes alone', () => {
    const secret = '\\'.repeat(40);
    expect(scrub([secret], ['\\'.repeat(30), '\\'.repeat(9), ' ', secret]).toString()).toBe(
      `${'\\'.repeat(39)} [secret]`,
    );
  });
});

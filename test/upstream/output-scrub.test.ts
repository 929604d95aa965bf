import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { createOutputScrub } from '../../src/upstream/output-scrub.ts';

const SECRET = 'pub_tok_ABCDEF1234567890';

/** What a reader of the pieces is told in the end. */
function said(pieces: readonly string[]): string {
  const scrub = createOutputScrub([new Secret(SECRET)], () => {});
  return pieces.map((piece) => scrub.push(piece)).join('') + scrub.end();
}

describe('output that is put together from many frames', () => {
  it.each([1, 2, 5, 7])('does not hold a secret that was echoed in pieces of %d', (length) => {
    const text = `before ${SECRET} after`;
    const pieces = Array.from({ length: Math.ceil(text.length / length) }, (_, i) =>
      text.slice(i * length, (i + 1) * length),
    );
    expect(said(pieces)).toBe('before [secret] after');
  });

  it('loses nothing that only begins like one', () => {
    expect(said(['say pub_', 'tok', ' and pub', '_tok_ABC'])).toBe('say pub_tok and pub_tok_ABC');
    expect(said(['a \ud83d', '\ude00 b', ' ü'])).toBe('a \ud83d\ude00 b ü');
  });

  it('is scrubbed once more where it is a whole', () => {
    expect(createOutputScrub([new Secret(SECRET)], () => {}).text(`ü ${SECRET}`)).toBe('ü [secret]');
  });
});

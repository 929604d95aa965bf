import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { createSystemRandom } from '../../../src/core/random.ts';
import { masterKeyOf } from '../../../src/vault/master-key.ts';
import {
  BrokenSealError,
  fingerprintOf,
  rewrap,
  seal,
  SEALED_BOX_VERSION,
  unseal,
  type SealedPlace,
} from '../../../src/vault/sealed-box.ts';
import { sealVersion1 } from '../../support/seal-version-1.ts';

const random = createSystemRandom();
const key = masterKeyOf(random.bytes(32));
const place: SealedPlace = { id: 'cred_1', provider: 'ai-tutor', purpose: 'api', column: 'sealed' };

const texts = () => fc.string({ unit: 'grapheme', maxLength: 300 });
/** Where the secret's own part begins: behind version, fingerprint and the wrapped data key. */
const SECRET_AT = 1 + 8 + 12 + 32 + 16;

describe('a sealed box', () => {
  it('gives back what was put in, whatever it was', () => {
    fc.assert(
      fc.property(texts(), (text) => {
        expect(unseal(seal(text, place, { key, random }), place, key)).toBe(text);
      }),
    );
  });

  it('has the documented form and names its master key', () => {
    const sealed = seal('abc', place, { key, random });
    expect(sealed.length).toBe(SECRET_AT + 12 + 3 + 16);
    expect(sealed[0]).toBe(SEALED_BOX_VERSION);
    expect(SEALED_BOX_VERSION).toBe(2);
    expect(fingerprintOf(sealed)).toBe(key.fingerprint);
  });

  it('has a data key of its own: nothing of two boxes with one secret is the same', () => {
    const [first, second] = [1, 2].map(() => Buffer.from(seal('a-marker-secret', place, { key, random })));
    expect(first?.subarray(9).equals(second?.subarray(9) ?? Buffer.alloc(0))).toBe(false);
    const dataKey = (box: Buffer | undefined) => box?.subarray(21, 53).toString('hex');
    expect(dataKey(first)).not.toBe(dataKey(second));
    expect(first?.includes('a-marker-secret')).toBe(false);
  });

  it.each(['id', 'provider', 'purpose', 'column'] as const)('does not open under another %s', (part) => {
    fc.assert(
      fc.property(texts(), texts(), (text, other) => {
        fc.pre(other !== place[part]);
        for (const sealed of [seal(text, place, { key, random }), sealVersion1(text, place, { key, random })]) {
          expect(() => unseal(sealed, { ...place, [part]: other }, key)).toThrow(BrokenSealError);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('does not take letters of one part for letters of the next', () => {
    const sealed = seal('secret', { ...place, id: 'ab', provider: 'c' }, { key, random });
    expect(() => unseal(sealed, { ...place, id: 'a', provider: 'bc' }, key)).toThrow(BrokenSealError);
  });

  it('does not open once any bit of it was changed', () => {
    for (const sealed of [seal('secret', place, { key, random }), sealVersion1('secret', place, { key, random })]) {
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        const altered = Uint8Array.from(sealed);
        altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => unseal(altered, place, key)).toThrow(BrokenSealError);
      }
    }
  });

  it('does not open when cut short, or with something behind it', () => {
    for (const sealed of [seal('secret', place, { key, random }), sealVersion1('secret', place, { key, random })]) {
      for (let length = 0; length < sealed.length; length++) {
        expect(() => unseal(sealed.subarray(0, length), place, key)).toThrow(BrokenSealError);
      }
      expect(() => unseal(Buffer.concat([sealed, Buffer.alloc(1)]), place, key)).toThrow(BrokenSealError);
    }
  });

  it('does not open with another master key, even one that bears the same fingerprint', () => {
    const other = masterKeyOf(random.bytes(32));
    for (const sealed of [seal('secret', place, { key, random }), sealVersion1('secret', place, { key, random })]) {
      expect(() => unseal(sealed, place, other)).toThrow('another master key');
      expect(() => unseal(sealed, place, { ...other, fingerprint: key.fingerprint })).toThrow(BrokenSealError);
    }
  });

  it('does not open with the data key of another box', () => {
    const [one, two] = ['one', 'two'].map((text) => Buffer.from(seal(text, place, { key, random })));
    const mixed = Buffer.concat([one!.subarray(0, SECRET_AT), two!.subarray(SECRET_AT)]);
    expect(() => unseal(mixed, place, key)).toThrow(BrokenSealError);
  });

  it('does not pass for one of the other version', () => {
    const [one, two] = [sealVersion1('s'.repeat(80), place, { key, random }), seal('secret', place, { key, random })];
    expect(() => unseal(Uint8Array.from([2, ...one.subarray(1)]), place, key)).toThrow(BrokenSealError);
    expect(() => unseal(Uint8Array.from([1, ...two.subarray(1)]), place, key)).toThrow(BrokenSealError);
    expect(() => unseal(Uint8Array.from([3, ...two.subarray(1)]), place, key)).toThrow('known version');
  });

  it('of version 1 still opens', () => {
    fc.assert(
      fc.property(texts(), (text) => {
        expect(unseal(sealVersion1(text, place, { key, random }), place, key)).toBe(text);
      }),
    );
  });
});

describe('a box under a new master key', () => {
  const to = masterKeyOf(random.bytes(32));

  it('opens with that one alone, and has the bytes of its secret as they were', () => {
    fc.assert(
      fc.property(texts(), (text) => {
        const before = seal(text, place, { key, random });
        const after = rewrap(before, place, { from: key, to, random });
        expect(fingerprintOf(after)).toBe(to.fingerprint);
        expect(unseal(after, place, to)).toBe(text);
        expect(() => unseal(after, place, key)).toThrow('another master key');
        expect(Buffer.from(after).subarray(SECRET_AT)).toEqual(Buffer.from(before).subarray(SECRET_AT));
        expect(Buffer.from(after).subarray(9, SECRET_AT)).not.toEqual(Buffer.from(before).subarray(9, SECRET_AT));
      }),
    );
  });

  it('is of version 2, whichever it was before, under the same master key too', () => {
    for (const newest of [key, to]) {
      const after = rewrap(sealVersion1('secret', place, { key, random }), place, { from: key, to: newest, random });
      expect(after[0]).toBe(2);
      expect(unseal(after, place, newest)).toBe('secret');
    }
  });

  it('is made of none that does not open: altered anywhere, elsewhere, or under another key', () => {
    for (const sealed of [seal('secret', place, { key, random }), sealVersion1('secret', place, { key, random })]) {
      for (let i = 0; i < sealed.length; i++) {
        const altered = Uint8Array.from(sealed);
        altered[i] = (altered[i] ?? 0) ^ 0x80;
        expect(() => rewrap(altered, place, { from: key, to, random })).toThrow(BrokenSealError);
      }
      expect(() => rewrap(sealed, { ...place, id: 'cred_2' }, { from: key, to, random })).toThrow(BrokenSealError);
      expect(() => rewrap(sealed, place, { from: to, to: key, random })).toThrow(BrokenSealError);
    }
  });
});

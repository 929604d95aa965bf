import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { createSystemRandom } from '../../../src/core/random.ts';
import { masterKeyOf } from '../../../src/vault/master-key.ts';
import { BrokenSealError, fingerprintOf, seal, unseal, type SealedPlace } from '../../../src/vault/sealed-box.ts';

const random = createSystemRandom();
const key = masterKeyOf(random.bytes(32));
const place: SealedPlace = { id: 'cred_1', provider: 'ai-tutor', purpose: 'api', column: 'sealed' };

describe('a sealed box', () => {
  it('gives back what was put in, whatever it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(unseal(seal(text, place, { key, random }), place, key)).toBe(text);
      }),
    );
  });

  it('has the documented form and names its master key', () => {
    const sealed = seal('abc', place, { key, random });
    expect(sealed.length).toBe(1 + 8 + 12 + 3 + 16);
    expect(sealed[0]).toBe(1);
    expect(fingerprintOf(sealed)).toBe(key.fingerprint);
  });

  it('looks different each time and never shows the plaintext', () => {
    const first = Buffer.from(seal('a-marker-secret', place, { key, random }));
    const second = Buffer.from(seal('a-marker-secret', place, { key, random }));
    expect(first.equals(second)).toBe(false);
    expect(first.includes('a-marker-secret')).toBe(false);
  });

  it.each(['id', 'provider', 'purpose', 'column'] as const)('does not open under another %s', (part) => {
    const sealed = seal('secret', place, { key, random });
    expect(() => unseal(sealed, { ...place, [part]: 'other' }, key)).toThrow(BrokenSealError);
  });

  it('does not take letters of one part for letters of the next', () => {
    const sealed = seal('secret', { ...place, id: 'ab', provider: 'c' }, { key, random });
    expect(() => unseal(sealed, { ...place, id: 'a', provider: 'bc' }, key)).toThrow(BrokenSealError);
  });

  it('does not open once any byte of it was changed', () => {
    const sealed = seal('secret', place, { key, random });
    for (let i = 0; i < sealed.length; i++) {
      const altered = sealed.slice();
      altered[i] = (altered[i] ?? 0) ^ 1;
      expect(() => unseal(altered, place, key)).toThrow(BrokenSealError);
    }
  });

  it('does not open when cut short', () => {
    const sealed = seal('secret', place, { key, random });
    for (let length = 0; length < sealed.length; length++) {
      expect(() => unseal(sealed.subarray(0, length), place, key)).toThrow(BrokenSealError);
    }
  });

  it('does not open with another master key', () => {
    const sealed = seal('secret', place, { key, random });
    expect(() => unseal(sealed, place, masterKeyOf(random.bytes(32)))).toThrow('another master key');
  });
});

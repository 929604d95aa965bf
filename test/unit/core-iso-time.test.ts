import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isoTime } from '../../src/core/iso-time.ts';

const LAST_MS = 8_640_000_000_000_000;

describe('the time as text', () => {
  it('is what a date writes, near and far, in any order', () => {
    const near = fc.integer({ min: 1_763_700_000_000, max: 1_763_700_040_000 });
    fc.assert(
      fc.property(fc.oneof(near, fc.integer({ min: -LAST_MS, max: LAST_MS })), (ms) => {
        expect(isoTime(ms)).toBe(new Date(ms).toISOString());
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses what is no time', () => {
    expect(() => isoTime(Number.NaN)).toThrow(RangeError);
  });
});

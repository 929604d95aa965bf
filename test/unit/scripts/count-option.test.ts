import { describe, expect, it } from 'vitest';
import { countOption } from '../../../scripts/support/count-option.ts';

describe('an option that counts', () => {
  it('is a whole number from 1 on, or what it is without being given', () => {
    expect(countOption('runs', '20', 5)).toBe(20);
    expect(countOption('runs', undefined, 5)).toBe(5);
  });

  it.each(['abc', '', '0', '-1', '1.5', '1e3', ' 1', 'NaN', '1234567890'])('is not %j', (text) => {
    expect(() => countOption('runs', text, 5)).toThrow('--runs: expected a whole number from 1');
  });
});

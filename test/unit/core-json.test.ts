import { describe, expect, it } from 'vitest';
import { findInexactNumber } from '../../src/core/json.ts';

describe('a number that parsing would change', () => {
  it.each([
    ['{"amount": 1e400}', 'amount'],
    ['{"inputs": {"wei": 9007199254740993}}', 'inputs.wei'],
    ['{"inputs": {"amount": 12345678901234567.89}}', 'inputs.amount'],
    ['{"amount": 9007199254740993.0}', 'amount'],
    ['{"amount": 1.000000000000000001}', 'amount'],
    ['{"amount": 9007199254740993e0}', 'amount'],
    ['{"amount": 1e-400}', 'amount'],
    ['{"amount": 1234567890.1234567890}', 'amount'],
    ['{"inputs": {"list": [1, {"n": -123456789012345678901234567890}]}}', 'inputs.list.1.n'],
    ['{"a": "1234567890123456789", "b": 1e400}', 'b'],
  ])('is found in %s', (text, path) => {
    expect(findInexactNumber(text)).toBe(path);
  });

  it('is looked for in a time that grows with the text, whatever digits it has', () => {
    const zeros = '0'.repeat(1_000_000);
    const begunAt = performance.now();
    expect(findInexactNumber(`{"a": 1.${zeros}1}`)).toBe('a');
    expect(findInexactNumber(`{"a": 0.${zeros}}`)).toBe(null);
    expect(performance.now() - begunAt).toBeLessThan(2_000);
  });

  it.each([
    '{"amount": 9007199254740991}',
    '{"amount": "9007199254740993"}',
    // As C and PHP print what others print as 0.1.
    '{"rate": 0.10000000000000001}',
    '{"rate": 0.1234567890123456, "fee": 1.0, "none": 0.00000000000000000}',
    '{"amount": 1e21, "rate": 0.1, "small": 5e-324}',
    '{"text": "1e400", "12345678901234567890": true}',
    '{}',
  ])('is not seen in %s', (text) => {
    expect(findInexactNumber(text)).toBeNull();
  });
});

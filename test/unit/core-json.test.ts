import { describe, expect, it } from 'vitest';
import { findInexactNumber, parseExactly } from '../../src/core/exact-json.ts';

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
    ['{"amount": 9007199254740993e1}', 'amount'],
    ['{"amount": 9.007199254740993E+16}', 'amount'],
    ['{"a": 9007199254740993, "a": 1, "b": 9007199254740993}', 'b'],
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
    '{"amount": 1e21, "rate": 0.1, "small": 5e-324, "large": 1.7976931348623157e+308, "point": 1.5e1}',
    '{"a": 9007199254740993, "a": 1}',
    '{"text": "1e400", "12345678901234567890": true}',
    '{}',
  ])('is not seen in %s', (text) => {
    expect(findInexactNumber(text)).toBeNull();
  });
});

describe('parsing exactly', () => {
  it.each([
    '{"wei":123456789012345678901,"list":[1,-9007199254740993,{"n":1e400}],"text":"123456789012345678901"}',
    '12345678901234567890',
    '-0.123456789012345678901',
    '{"cents":90071992547409.93,"more":9009783043.444425,"whole":[9007199254740993e1,1e400,1e-400]}',
    '{"1":[12345678901234567890],"__proto__":{"n":12345678901234567890}}',
    String.raw`{"a\"12345678901234567890":"\\","b\\":12345678901234567890}`,
    '{"text":"a: 12345678901234567890, 1e400"}',
  ])('keeps %s', (text) => {
    expect(JSON.stringify(parseExactly(text))).toBe(text);
  });

  it('leaves ordinary numbers numbers', () => {
    expect(parseExactly('{"a": 1e5, "b": [1e21, 0.1, -5], "c": 12345678901234567890}')).toMatchObject({
      a: 100_000,
      b: [1e21, 0.1, -5],
    });
  });

  it.each([
    '[01234567890123456789]',
    '[1.2.3.4.5.6.7.8.9.0]',
    '[-]',
    '[12345678901234567890',
    '[1234567890123456789e]',
    '{12345678901234567890:1}',
    '{"a":1e400,-12345678901234567890 : 2}',
    '{"a":1e400,-:2}',
  ])('refuses %s', (text) => {
    expect(() => parseExactly(text)).toThrow(SyntaxError);
  });

  it('takes a time that grows with the text', () => {
    const begunAt = performance.now();
    const parsed = parseExactly(`[${'1e999,12345678901234567890,1e5,'.repeat(500_000)}1]`) as unknown[];
    expect(performance.now() - begunAt).toBeLessThan(3_000);
    // Each takes memory, so there are bounds.
    expect(parsed.filter((one) => JSON.isRawJSON(one))).toHaveLength(100_000);
  });
});

import { describe, expect, it } from 'vitest';
import { createVerifiedTokens } from '../../../src/access/verified-tokens.ts';

describe('tokens that were verified', () => {
  it('are known by all of their text', () => {
    const tokens = createVerifiedTokens<string>();
    const begins = 'x'.repeat(5_000);
    tokens.put(`${begins}a`, 'a', 10);
    tokens.put(`${begins}b`, 'b', 10);
    tokens.put(`c${begins}`, 'c', 10);
    expect([`${begins}a`, `${begins}b`, `c${begins}`].map((token) => tokens.get(token, 0))).toEqual(['a', 'b', 'c']);
    for (const token of [begins, `${begins}A`, `${begins}a `, begins.slice(0, 20), '']) {
      expect(tokens.get(token, 0)).toBeNull();
    }
  });

  it('are believed until their time, and then forgotten', () => {
    const tokens = createVerifiedTokens<string>();
    tokens.put('t', 'v', 10);
    expect([tokens.get('t', 9), tokens.get('t', 10), tokens.get('t', 9)]).toEqual(['v', null, null]);
    tokens.put('t', 'again', 20);
    tokens.put('t', 'newest', 30);
    expect(tokens.get('t', 25)).toBe('newest');
  });

  it('are so many at most, the oldest forgotten first', () => {
    const tokens = createVerifiedTokens<number>({ tokensMax: 3 });
    for (let i = 0; i < 5; i++) tokens.put(`t${i}`, i, 10);
    expect([0, 1, 2, 3, 4].map((i) => tokens.get(`t${i}`, 0))).toEqual([null, null, 2, 3, 4]);
    // One that is put again takes no second place.
    tokens.put('t2', 22, 10);
    tokens.put('t5', 5, 10);
    expect([2, 3, 4, 5].map((i) => tokens.get(`t${i}`, 0))).toEqual([22, null, 4, 5]);
  });

  it('are so long at most together, however few they are', () => {
    const tokens = createVerifiedTokens<number>({ charactersMax: 100 });
    const long = (name: string) => name.repeat(40);
    for (const [i, name] of ['a', 'b', 'c'].entries()) tokens.put(long(name), i, 10);
    expect(['a', 'b', 'c'].map((name) => tokens.get(long(name), 0))).toEqual([null, 1, 2]);
    // What is forgotten in time gives its room back.
    expect(tokens.get(long('b'), 10)).toBeNull();
    tokens.put(long('d'), 3, 10);
    expect(['c', 'd'].map((name) => tokens.get(long(name), 0))).toEqual([2, 3]);
  });
});

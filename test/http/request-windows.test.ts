import { describe, expect, it } from 'vitest';
import { createWindowStore } from '../../src/http/plugins/request-windows.ts';

const WINDOWS_MAX = 100_000;
const WINDOW_MS = 60_000;

function setUp() {
  const clock = { ms: 5, monotonic: () => clock.ms };
  const store = new (createWindowStore(clock, new Map()))({});
  function count(key: string): { current: number; ttl: number } {
    const counted: { current: number; ttl: number }[] = [];
    store.incr(key, (_error, result) => counted.push(result ?? { current: 0, ttl: 0 }), WINDOW_MS, 1);
    const [result, ...more] = counted;
    if (result === undefined || more.length > 0) throw new Error('expected one answer, at once');
    return result;
  }
  return { clock, count };
}

describe('the counts of requests', () => {
  it('begin with a key’s first request and last for one window', () => {
    const { clock, count } = setUp();
    expect(count('a')).toEqual({ current: 1, ttl: WINDOW_MS });
    clock.ms += WINDOW_MS - 1;
    expect([count('a'), count('b')]).toEqual([
      { current: 2, ttl: 1 },
      { current: 1, ttl: WINDOW_MS },
    ]);
    clock.ms += 1;
    expect(count('a')).toEqual({ current: 1, ttl: WINDOW_MS });
    expect(count('b').current).toBe(2);
  });

  it('are bounded: of too many within a window, the one that began first is forgotten', () => {
    const { count } = setUp();
    for (let i = 0; i < WINDOWS_MAX; i += 1) count(`key_${i}`);
    expect(count('key_1').current).toBe(2);
    count('one more');
    expect(count('key_1').current).toBe(3);
    expect(count('key_0').current).toBe(1);
  });
});

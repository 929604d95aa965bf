import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BusyMap } from '../../src/core/busy-map.ts';

const step = fc.record({ act: fc.constantFrom('set', 'delete'), key: fc.integer({ min: 0, max: 9 }), value: fc.nat() });

describe('a busy map', () => {
  it('holds what a plain map would hold, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const busy = new BusyMap<number, number>();
        const plain = new Map<number, number>();
        for (const { act, key, value } of steps) {
          if (act === 'set') {
            busy.set(key, value);
            plain.set(key, value);
          } else expect(busy.delete(key)).toBe(plain.delete(key));
          expect(busy.get(key)).toBe(plain.get(key));
          expect(busy.has(key)).toBe(plain.has(key));
        }
        expect(busy.size).toBe(plain.size);
        expect(busy.keys()).toEqual([...plain.keys()]);
        expect(busy.values()).toEqual([...plain.values()]);
      }),
    );
  });
});

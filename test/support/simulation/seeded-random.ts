import type { Random } from '../../../src/core/random.ts';

export interface SeededRandom extends Random {
  /** A whole number in [0, n). */
  below(n: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Picks by weight. */
  weigh<T extends string>(weights: Readonly<Record<T, number>>): T;
}

/** The same seed gives the same chances for ever (mulberry32). */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  function float(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }
  const below = (n: number) => Math.floor(float() * n);
  return {
    float,
    below,
    bytes: (n) => Uint8Array.from({ length: n }, () => below(256)),
    chance: (probability) => float() < probability,
    pick: (items) => items[below(items.length)]!,
    weigh(weights) {
      const entries = Object.entries<number>(weights);
      let left = float() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [name, weight] of entries) {
        left -= weight;
        if (left < 0) return name as never;
      }
      return entries[0]![0] as never;
    },
  };
}

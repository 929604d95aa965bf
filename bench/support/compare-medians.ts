/** How far two sets of figures are apart. */
export interface Difference {
  medians: readonly [number, number];
  /** The second median less the first, with 99 % confidence. */
  interval: readonly [number, number];
}

const RESAMPLES = 2_000;

export function medianOf(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Compares by the bootstrap: draws from both sets again and again, and sees between which bounds the difference stays. */
export function compareMedians(one: readonly number[], other: readonly number[]): Difference {
  const again = (figures: readonly number[]) =>
    medianOf(figures.map(() => figures[Math.floor(Math.random() * figures.length)] ?? 0));
  const differences = Array.from({ length: RESAMPLES }, () => again(other) - again(one)).toSorted((a, b) => a - b);
  const at = (share: number) => differences[Math.floor(share * (RESAMPLES - 1))] ?? Number.NaN;
  return { medians: [medianOf(one), medianOf(other)], interval: [at(0.005), at(0.995)] };
}

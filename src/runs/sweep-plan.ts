const SWEPT_FROM = 64;

/** Tells when entries that nobody needs are worth a look: once there are twice as many as were in use the last time. */
export interface SweepPlan {
  isDue(size: number): boolean;
  /** After a look, with how many are left. */
  swept(size: number): void;
}

export function createSweepPlan(): SweepPlan {
  let sweptAt = SWEPT_FROM;
  return {
    isDue: (size) => size >= sweptAt,
    swept(size) {
      sweptAt = Math.max(SWEPT_FROM, 2 * size);
    },
  };
}

import { randomBytes, randomFillSync } from 'node:crypto';

/** Chance as a parameter: secrets, ids and jitter all come from here. */
export interface Random {
  /** `n` unpredictable bytes. */
  bytes(n: number): Uint8Array;
  /** A number in [0, 1), for jitter only. */
  float(): number;
}

const POOL_BYTES = 4096;

/** The operating system's randomness; small requests are cut from a pool, each byte used once. */
export function createSystemRandom(): Random {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return {
    bytes(n) {
      if (n > 64) return randomBytes(n);
      if (used + n > POOL_BYTES) {
        randomFillSync(pool);
        used = 0;
      }
      const bytes = pool.slice(used, used + n);
      pool.fill(0, used, used + n);
      used += n;
      return bytes;
    },
    float: () => Math.random(),
  };
}

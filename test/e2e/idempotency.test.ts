import { describe, expect, it } from 'vitest';
import { playIdempotency } from '../support/processes/idempotency/play.ts';

describe('copies of one request that arrive at once', () => {
  it('begin one run at the vendor, whichever vendor and however they are answered', async () => {
    const checks = await playIdempotency({ rounds: 4, copies: 60 });
    expect(checks.filter(({ faults }) => faults.length > 0)).toEqual([]);
    expect(checks.length).toBeGreaterThan(10);
  }, 60_000);
});

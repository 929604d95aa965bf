import { beforeEach, describe, expect, it } from 'vitest';
import { PacingLanes } from '../../../src/runs/pacing-lanes.ts';
import { ToldAllowance } from '../../../src/runs/told-allowance.ts';

const LIMITS = { concurrency: 3, requestsPerMinute: 60 };
const clock = { now: () => nowMs, monotonic: () => nowMs };

let nowMs: number;
let lanes: PacingLanes;

beforeEach(() => {
  nowMs = 1_000_000;
  lanes = new PacingLanes(clock);
});

function enter(credentialId: string) {
  return lanes.enterCredential({ provider: 'vendor', credentialId }, LIMITS, nowMs);
}

describe('the lanes of starts', () => {
  it('are those of the last minute, however many credentials come and go', () => {
    for (let i = 0; i < 10_000; i++) {
      enter(`key-${i}`).reserved--;
      nowMs += 1_000;
    }
    expect(lanes.size).toBeLessThanOrEqual(128);
  });

  it('stay while a start is about to be written, or a vendor’s word counts', () => {
    enter('reserved');
    const allowance = new ToldAllowance(clock);
    allowance.told({ limit: null, remaining: 1, reset: nowMs + 80_000_000, observedAt: nowMs });
    lanes.addCredential('vendor', 'told').allowance = allowance;
    nowMs += 70_000_000;
    for (let i = 0; i < 1_000; i++) enter(`key-${i}`).reserved--;
    expect(lanes.ofCredential('vendor', 'reserved')?.reserved).toBe(1);
    expect(lanes.ofCredential('vendor', 'told')?.allowance).toBe(allowance);
    nowMs += 20_000_000;
    for (let i = 0; i < 1_000; i++) enter(`late-${i}`).reserved--;
    expect(lanes.ofCredential('vendor', 'told')).toBeUndefined();
  });

  it('remember starts of many credentials at once', () => {
    const starts = Array.from({ length: 500 }, (_, i) => ({
      provider: 'vendor',
      credentialId: `key-${i}`,
      at: nowMs - 60_000,
    }));
    lanes.remember([...starts, { provider: 'vendor', credentialId: 'old', at: nowMs - 61_000 }]);
    expect(lanes.ofProvider('vendor')?.starts.size).toBe(500);
    expect(lanes.ofCredential('vendor', 'key-0')?.starts.times()).toEqual([nowMs - 60_000]);
    expect(lanes.ofCredential('vendor', 'old')).toBeUndefined();
  });
});

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRetryBudget, type RetryBudget } from '../../../src/runs/retry-budget.ts';

let nowMs: number;
let budget: RetryBudget;

beforeEach(() => {
  nowMs = 0;
  budget = createRetryBudget({ clock: { monotonic: () => nowMs }, share: 0.1 });
});

function takeAll(provider: string): number {
  let taken = 0;
  while (taken < 1_000 && budget.take(provider)) taken++;
  return taken;
}

function start(times: number): void {
  for (let i = 0; i < times; i++) budget.started('vendor');
}

describe('the retry budget', () => {
  it('lets a provider retry that has begun nothing yet, ten times', () => {
    expect([takeAll('vendor'), takeAll('other')]).toEqual([10, 10]);
  });

  it('grants one retry for ten starts after that, exactly', () => {
    takeAll('vendor');
    start(9);
    expect(budget.take('vendor')).toBe(false);
    start(1);
    expect(takeAll('vendor')).toBe(1);
    start(50);
    expect(takeAll('vendor')).toBe(5);
  });

  it('takes back a retry that was not sent, and no more than there were', () => {
    takeAll('vendor');
    budget.giveBack('vendor');
    expect(takeAll('vendor')).toBe(1);
    budget.take('other');
    budget.giveBack('other');
    budget.giveBack('other');
    expect(takeAll('other')).toBe(10);
  });

  it('saves up no more than ten', () => {
    budget.take('vendor');
    start(100_000);
    expect(takeAll('vendor')).toBe(10);
  });

  it('begins anew with a provider that has had no start for ten minutes', () => {
    takeAll('vendor');
    nowMs += 600_000 - 1;
    expect(takeAll('vendor')).toBe(0);
    nowMs += 1;
    expect(takeAll('vendor')).toBe(10);
  });

  it('grants nothing where the share is nothing', () => {
    budget = createRetryBudget({ clock: { monotonic: () => nowMs }, share: 0 });
    expect(budget.take('vendor')).toBe(false);
  });

  it('never grants more than ten and the share of the starts', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 500 }),
        fc.integer({ min: 1, max: 100 }),
        (startsOrRetries, percent) => {
          const world = createRetryBudget({ clock: { monotonic: () => 0 }, share: percent / 100 });
          let [starts, retries] = [0, 0];
          for (const isStart of startsOrRetries) {
            if (isStart) {
              world.started('vendor');
              starts++;
            } else if (world.take('vendor')) retries++;
            expect(retries * 100).toBeLessThanOrEqual(1_000 + starts * percent);
          }
        },
      ),
    );
  });
});

import type { Clock } from '../core/clock.ts';
import { createSweepPlan } from './sweep-plan.ts';

/** Retries of a provider's starts are a share of its starts, so that a vendor in trouble is not given more to do. */
export interface RetryBudget {
  /** A first start of a run. */
  started(provider: string): void;
  /** Whether one more retry is in the budget; then it is counted. */
  take(provider: string): boolean;
  /** A retry that was taken was not sent. */
  giveBack(provider: string): void;
}

/** Retries that a provider may have at once: the most that is saved up, and what it begins with. */
const RETRIES_MAX = 10;
/** In parts of a retry, since tenths do not add up to one in floating point. */
const PARTS = 10_000;
/** A provider without a start for so long begins anew. */
const FORGOTTEN_AFTER_MS = 600_000;

interface Bucket {
  parts: number;
  usedAt: number;
}

/**
 * A token bucket for each provider: it begins full, a start adds `share` of a retry (0 to 1), and a retry takes one.
 * Full buckets are not kept. With a share of 0 there are no retries at all.
 */
export function createRetryBudget({ clock, share }: { clock: Pick<Clock, 'monotonic'>; share: number }): RetryBudget {
  const shareParts = Math.round(share * PARTS);
  const buckets = new Map<string, Bucket>();
  const plan = createSweepPlan();

  function sweep(nowMs: number): void {
    for (const [provider, { usedAt }] of buckets) {
      if (nowMs - usedAt >= FORGOTTEN_AFTER_MS) buckets.delete(provider);
    }
    plan.swept(buckets.size);
  }

  /** Null: full. */
  function bucketOf(provider: string, nowMs: number): Bucket | null {
    const bucket = buckets.get(provider);
    if (!bucket) return null;
    if (nowMs - bucket.usedAt < FORGOTTEN_AFTER_MS) return bucket;
    buckets.delete(provider);
    return null;
  }

  function add(provider: string, parts: number): void {
    if (buckets.size === 0) return;
    const nowMs = clock.monotonic();
    const bucket = bucketOf(provider, nowMs);
    if (!bucket) return;
    bucket.usedAt = nowMs;
    bucket.parts += parts;
    if (bucket.parts >= RETRIES_MAX * PARTS) buckets.delete(provider);
  }

  return {
    started: (provider) => add(provider, shareParts),
    giveBack: (provider) => add(provider, PARTS),
    take(provider) {
      if (shareParts === 0) return false;
      const nowMs = clock.monotonic();
      const known = bucketOf(provider, nowMs);
      if (!known && plan.isDue(buckets.size)) sweep(nowMs);
      const bucket = known ?? { parts: RETRIES_MAX * PARTS, usedAt: nowMs };
      if (bucket.parts < PARTS) return false;
      bucket.parts -= PARTS;
      bucket.usedAt = nowMs;
      buckets.set(provider, bucket);
      return true;
    },
  };
}

import type { Random } from '../core/random.ts';
import type { AnyProviderKind, PollPace } from '../providers/define-provider.ts';

const DEFAULT_PACE: PollPace = { firstMs: 1_000, factor: 1.5, maxMs: 15_000 };
/** A tenth up or down, so that runs begun together are not polled together for ever. */
const JITTER = 0.1;

/** Milliseconds until try number `tries` (0: the first) of a read. */
export function pollDelayMs(kind: AnyProviderKind, tries: number, random: Random): number {
  const pace = kind.pollPace ?? DEFAULT_PACE;
  const plain = Math.min(pace.firstMs * pace.factor ** Math.min(tries, 60), pace.maxMs);
  return Math.round(plain * (1 - JITTER + 2 * JITTER * random.float()));
}

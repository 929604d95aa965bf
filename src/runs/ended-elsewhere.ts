import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { RunId } from '../core/ids.ts';
import type { Census } from './census.ts';
import type { RunStore } from './ports.ts';

/**
 * Commands beside this process end runs too, and nobody here may have an eye on those: they would be counted as
 * unfinished for ever.
 */
export interface EndedElsewhere {
  /** Another process has written something: the next sweep that may looks. */
  look(): void;
  /** Looks where there is reason to. A look that fails is tried again. */
  sweep(): void;
}

/** Between two looks: each reads every unfinished run, and another process may write for long. */
const GAP_MS = 1_000;

/** `onEnded` is given runs that are counted here and no longer unfinished in the store. */
export function createEndedElsewhere({
  store,
  census,
  clock,
  log,
  onEnded,
}: {
  store: Pick<RunStore, 'unfinished'>;
  census: Pick<Census, 'ids'>;
  clock: Clock;
  log: Log;
  onEnded: (id: RunId) => Promise<void>;
}): EndedElsewhere {
  let wanted = false;
  /** Never while a look is under way. */
  let nextMs = -Infinity;

  async function compare(): Promise<void> {
    // In this order: what is counted was written before, so it is in what is read after, or has ended.
    const counted = census.ids();
    if (counted.length === 0) return;
    const unfinished = new Set((await store.unfinished()).map(({ id }) => id));
    for (const id of counted) if (!unfinished.has(id)) await onEnded(id);
  }

  return {
    look: () => void (wanted = true),
    sweep() {
      if (!wanted || clock.monotonic() < nextMs) return;
      wanted = false;
      nextMs = Infinity;
      void compare()
        .catch((err: unknown) => {
          // Nobody else may write for long, so this is not to wait for the next reason.
          wanted = true;
          log.warn({ err }, 'runs that ended elsewhere could not be looked for');
        })
        .finally(() => (nextMs = clock.monotonic() + GAP_MS));
    },
  };
}

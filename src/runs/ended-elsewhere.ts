import type { Log } from '../core/log.ts';
import type { RunId } from '../core/ids.ts';
import type { Census } from './census.ts';
import type { RunStore } from './ports.ts';

/**
 * Commands beside this process end runs too, and nobody here may have an eye on those: they would be counted as
 * unfinished for ever.
 */
export interface EndedElsewhere {
  /** Another process has written something. */
  look(): void;
}

/** `onEnded` is given runs that are counted here and no longer unfinished in the store. */
export function createEndedElsewhere({
  store,
  census,
  log,
  onEnded,
}: {
  store: Pick<RunStore, 'unfinished'>;
  census: Pick<Census, 'ids'>;
  log: Log;
  onEnded: (id: RunId) => Promise<void>;
}): EndedElsewhere {
  let isLooking = false;
  let again = false;

  async function compare(): Promise<void> {
    // In this order: what is counted was written before, so it is in what is read after, or has ended.
    const counted = census.ids();
    if (counted.length === 0) return;
    const unfinished = new Set((await store.unfinished()).map(({ id }) => id));
    for (const id of counted) if (!unfinished.has(id)) await onEnded(id);
  }

  return {
    look() {
      again = true;
      if (isLooking) return;
      isLooking = true;
      void (async () => {
        while (again) {
          again = false;
          await compare();
        }
      })()
        .catch((err: unknown) => log.warn({ err }, 'runs that ended elsewhere could not be looked for'))
        .finally(() => (isLooking = false));
    },
  };
}

import type { RunId } from '../core/ids.ts';
import type { Run } from './model.ts';
import type { RunStore } from './ports.ts';

/** Runs that a failed write may have begun, or changed: until somebody has looked, what is known of them may be wrong. */
export interface UnsureRuns {
  /** One that is on disk. There are no more of these than unfinished runs. */
  add(id: RunId): void;
  /**
   * One that may not be there at all. While very many cannot be written, not all of these are looked for: what was written
   * nevertheless is taken up after a while, from the queue or with what is ours and nobody here knows of, and counts from then on.
   */
  addNew(id: RunId): void;
  /** Those to be looked at in one go, longest unsure first. */
  next(): RunId[];
  /** The run as it is now. We are sure of it again, unless that cannot be read. */
  peek(id: RunId): Promise<Run | null>;
}

/** Looked at in one go; and so many at most are kept that may not be there. */
const NEXT_MAX = 256;

export function createUnsureRuns({ store }: { store: Pick<RunStore, 'peek'> }): UnsureRuns {
  const unsure = new Set<RunId>();

  return {
    add: (id) => void unsure.add(id),
    addNew(id) {
      if (unsure.size < NEXT_MAX) unsure.add(id);
    },
    next: () => [...unsure].slice(0, NEXT_MAX),
    async peek(id) {
      const wasUnsure = unsure.delete(id);
      try {
        return await store.peek(id);
      } catch (cause) {
        if (wasUnsure) unsure.add(id);
        throw cause;
      }
    },
  };
}

import type { Clock } from '../../core/clock.ts';
import type { RunId } from '../../core/ids.ts';
import type { Log } from '../../core/log.ts';

export type Hint = (id: RunId | null) => void;

/** Tells listeners that runs changed: this process's own writes by id, another process's as `null`. Lossy. */
export interface Hints {
  changed(id: RunId): void;
  watch(hint: Hint, signal: AbortSignal): void;
  close(): void;
}

/**
 * Looks at `dataVersion` (it changes when another connection has committed) every `intervalMs`,
 * and only while somebody listens.
 */
export function createHints(parts: {
  clock: Clock;
  log: Log;
  intervalMs: number;
  dataVersion: () => Promise<number | null>;
}): Hints {
  const listeners = new Set<Hint>();
  let known: number | null = null;
  let cancelTick: (() => void) | null = null;
  let closed = false;

  async function tick(): Promise<void> {
    const version = await parts.dataVersion().catch(() => null);
    if (version !== null && version !== known) {
      const first = known === null;
      known = version;
      if (!first) tell(null);
    }
    cancelTick = null;
    plan();
  }

  function plan(): void {
    if (closed || cancelTick !== null || listeners.size === 0 || parts.intervalMs === 0) return;
    cancelTick = parts.clock.after(parts.intervalMs, () => void tick());
  }

  function tell(id: RunId | null): void {
    for (const listener of listeners) {
      try {
        listener(id);
      } catch (error) {
        // The write has happened; whoever asked for it must not be told otherwise.
        parts.log.error({ err: error }, 'a listener for changed runs failed');
      }
    }
  }

  return {
    changed: tell,
    watch(hint, signal) {
      if (signal.aborted || closed) return;
      listeners.add(hint);
      signal.addEventListener('abort', () => listeners.delete(hint), { once: true });
      plan();
    },
    close() {
      closed = true;
      cancelTick?.();
      listeners.clear();
    },
  };
}

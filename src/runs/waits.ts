import { BusyMap } from '../core/busy-map.ts';
import type { Clock } from '../core/clock.ts';
import type { RunId } from '../core/ids.ts';
import type { Run, RunOutput } from './model.ts';

/** What woke a waiting caller, where this process wrote it: no need to read it again. */
export interface Settled {
  run: Run;
  output: RunOutput | null;
}

/**
 * Callers who wait for a run to end or to wait. A wait is an entry in a map, without a timer of its own:
 * the sweep lets go of those whose time is up.
 */
export interface Waits {
  /** Resolves when the run is woken, `ms` have passed, `signal` is aborted, or everything is let go. */
  wait(id: RunId, ms: number, signal: AbortSignal | null): Wait;
  /** The run has ended, or waits for somebody. */
  wake(id: RunId, settled: Settled | null): void;
  sweep(): void;
  /** Lets everybody go, now and from now on: the process drains. */
  releaseAll(): void;
  ids(): RunId[];
}

export interface Wait {
  /** Null: time is up, or whoever wants to know reads the run. */
  readonly done: Promise<Settled | null>;
  stop(): void;
}

interface Entry {
  untilMs: number;
  resolve: (settled: Settled | null) => void;
}

export function createWaits({ clock }: { clock: Clock }): Waits {
  const waiting = new BusyMap<RunId, Set<Entry>>();
  let released = false;

  function letGo(id: RunId, entry: Entry): void {
    const entries = waiting.get(id);
    if (entries?.delete(entry) && entries.size === 0) waiting.delete(id);
    entry.resolve(null);
  }

  return {
    wait(id, ms, signal) {
      if (released || ms <= 0 || signal?.aborted) return { done: Promise.resolve(null), stop: () => {} };
      const { promise, resolve } = Promise.withResolvers<Settled | null>();
      const entry: Entry = { untilMs: clock.monotonic() + ms, resolve };
      const entries = waiting.get(id);
      if (entries) entries.add(entry);
      else waiting.set(id, new Set([entry]));
      const stop = () => letGo(id, entry);
      signal?.addEventListener('abort', stop, { once: true });
      return { done: promise, stop };
    },
    wake(id, settled) {
      const entries = waiting.get(id);
      if (!entries) return;
      waiting.delete(id);
      for (const entry of entries) entry.resolve(settled);
    },
    sweep() {
      const now = clock.monotonic();
      for (const id of waiting.keys()) {
        for (const entry of waiting.get(id) ?? []) if (entry.untilMs <= now) letGo(id, entry);
      }
    },
    releaseAll() {
      released = true;
      for (const id of waiting.keys()) this.wake(id, null);
    },
    ids: () => waiting.keys(),
  };
}

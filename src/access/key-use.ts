import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { KeyStore } from './ports.ts';

/** Notes when keys were last used. */
export interface KeyUse {
  /** Costs an entry in memory, no write. */
  note(id: string): void;
  /** Writes what was noted, and notes nothing more. Never rejects. */
  stop(): Promise<void>;
}

/** A key is written at most so often, however much it is used. */
const WRITE_EVERY_MS = 60_000;
/** So many keys are noted in one interval; those beyond are in the next one. */
const NOTED_MAX = 100_000;
/** A transaction is kept short: others wait for it. */
const BATCH_MAX = 1_000;

/** Makes the notes over a store. One timer runs while there is something to write, none otherwise. */
export function createKeyUse({
  keys,
  clock,
  log,
}: {
  keys: Pick<KeyStore, 'used'>;
  clock: Pick<Clock, 'now' | 'after'>;
  log: Pick<Log, 'warn'>;
}): KeyUse {
  let noted = new Map<string, number>();
  let cancelTimer: (() => void) | null = null;
  let writing = Promise.resolve();
  let stopped = false;

  /** What cannot be written is lost: the key's next use is as good. */
  async function write(): Promise<void> {
    const uses = Array.from(noted, ([id, at]) => ({ id, at }));
    noted = new Map();
    try {
      for (let i = 0; i < uses.length; i += BATCH_MAX) await keys.used(uses.slice(i, i + BATCH_MAX));
    } catch (cause) {
      log.warn({ err: cause }, 'when keys were last used could not be written');
    }
  }

  return {
    note(id) {
      if (stopped || (noted.size >= NOTED_MAX && !noted.has(id))) return;
      noted.set(id, clock.now());
      cancelTimer ??= clock.after(WRITE_EVERY_MS, () => {
        cancelTimer = null;
        writing = write();
      });
    },
    async stop() {
      stopped = true;
      cancelTimer?.();
      await writing;
      if (noted.size > 0) await write();
    },
  };
}

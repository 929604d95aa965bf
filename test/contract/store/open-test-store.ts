import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../../src/core/clock.ts';
import { createIds, type RunId } from '../../../src/core/ids.ts';
import type { Log } from '../../../src/core/log.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { openStore, type Store, type StoreOptions } from '../../../src/store/open-store.ts';

export interface TestClock extends Clock {
  advance(ms: number): void;
}

/** Wall time stands still until it is advanced; timers are real. */
export function createTestClock(start = 1_764_000_000_000): TestClock {
  let now = start;
  return { ...systemClock, now: () => now, advance: (ms) => (now += ms) };
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface TestPlace {
  directory: string;
  path: string;
  clock: TestClock;
  nextId(): RunId;
  open(options?: Partial<StoreOptions>): Promise<Store>;
  /** Closes what is still open and removes the directory. */
  remove(): Promise<void>;
}

/** A directory of its own with a database that can be opened more than once. */
export function createTestPlace(defaults: Partial<StoreOptions> = {}, parent = tmpdir()): TestPlace {
  const directory = mkdtempSync(join(parent, 'rungate-store-'));
  const path = join(directory, 'rungate.db');
  const clock = createTestClock();
  const ids = createIds({ clock, random: createSystemRandom() });
  const opened: Store[] = [];
  return {
    directory,
    path,
    clock,
    nextId: () => ids.run(),
    async open(options = {}) {
      const store = await openStore({
        url: `sqlite:${path}`,
        clock,
        log: silentLog,
        role: 'serve',
        writer: 'inline',
        ...defaults,
        ...options,
      });
      opened.push(store);
      return store;
    },
    async remove() {
      for (const store of opened) await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

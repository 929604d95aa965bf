import { BusyMap } from '../core/busy-map.ts';
import type { RunId } from '../core/ids.ts';
import { hasEnded, type Run } from './model.ts';
import type { BusyCounts } from './pacing.ts';
import type { UnfinishedRun } from './ports.ts';

/**
 * Counts unfinished runs, by key lineage and by where they are begun, so that bounds on them cost no query.
 *
 * It is told of every row that this process writes, and of every one that it finds written by others. Answers of a store
 * may overtake each other: of a run the newest row counts, and one that was seen to end stays ended. So nothing is counted
 * twice, or for ever. After a crash it begins with the store's own rows.
 */
export interface Census extends BusyCounts {
  /** A run as its row says it is. */
  saw(run: SeenRun): void;
  /** A run whose row is gone, or not there yet. */
  forget(id: RunId): void;
  /** Begins anew with these rows. */
  recount(runs: readonly UnfinishedRun[]): void;
  /** Of every run that is counted. */
  ids(): RunId[];
  unfinishedOf(lineage: string): number;
  readonly unfinished: number;
}

type SeenRun = UnfinishedRun & Pick<Run, 'version'>;

interface Entry {
  /** Of the newest row that was seen; 0: of the store's own count. */
  version: number;
  readonly provider: string;
  readonly credentialId: string | null;
  /** Begun, and neither ended nor waiting for somebody: it takes up room at the vendor. */
  readonly busy: boolean;
  /** What the run is counted in. */
  readonly counters: readonly Counter[];
}

/** Runs that were seen to end are remembered for as long as an older row may still be on its way from the store. */
const ENDED_MAX = 4_000;

export function createCensus({ endedMax = ENDED_MAX }: { endedMax?: number } = {}): Census {
  const entries = new BusyMap<RunId, Entry>();
  const ended = new LatestIds(endedMax);
  const byLineage = new Tally();
  const byProvider = new Tally();
  const byCredential = new Map<string, Tally>();

  function credentialsOf(provider: string): Tally {
    const known = byCredential.get(provider);
    if (known) return known;
    const made = new Tally();
    byCredential.set(provider, made);
    return made;
  }

  function forget(id: RunId): void {
    const entry = entries.get(id);
    if (!entry) return;
    ended.add(id);
    entries.delete(id);
    for (const counter of entry.counters) counter.leave();
  }

  function count({ id, version, lineage, provider, credentialId }: SeenRun, busy: boolean): void {
    const counters = [byLineage.enter(lineage)];
    if (busy) counters.push(byProvider.enter(provider));
    if (busy && credentialId !== null) counters.push(credentialsOf(provider).enter(credentialId));
    entries.set(id, { version, provider, credentialId, busy, counters });
  }

  function saw(run: SeenRun): void {
    const known = entries.get(run.id);
    if (hasEnded(run)) {
      if (known) forget(run.id);
      else ended.add(run.id);
      return;
    }
    if (known ? known.version > run.version : ended.has(run.id)) return;
    const busy = run.status === 'running' || run.status === 'cancelling';
    // Most moves change nothing of this.
    if (known?.busy === busy && known.provider === run.provider && known.credentialId === run.credentialId) {
      known.version = run.version;
      return;
    }
    if (known) for (const counter of known.counters) counter.leave();
    count(run, busy);
  }

  return {
    saw,
    forget,
    recount(runs) {
      for (const id of entries.keys()) entries.delete(id);
      for (const tally of [byLineage, byProvider, byCredential]) tally.clear();
      for (const run of runs) saw({ ...run, version: 0 });
    },
    ids: () => entries.keys(),
    unfinishedOf: (lineage) => byLineage.of(lineage),
    busyAt: (provider) => byProvider.of(provider),
    busyWith: (provider, credentialId) => byCredential.get(provider)?.of(credentialId) ?? 0,
    get unfinished() {
      return entries.size;
    },
  };
}

/** The latest ids, at least half as many as may be kept. */
class LatestIds {
  readonly #max: number;
  #young = new Set<RunId>();
  #old: ReadonlySet<RunId> = new Set();

  constructor(max: number) {
    this.#max = max;
  }

  has(id: RunId): boolean {
    return this.#young.has(id) || this.#old.has(id);
  }

  add(id: RunId): void {
    this.#young.add(id);
    if (this.#young.size < this.#max / 2) return;
    this.#old = this.#young;
    this.#young = new Set();
  }
}

/** Names with how many there are; those of which there are none are not kept. */
class Tally {
  readonly #counters = new Map<string, Counter>();

  /** One more of this name, until it leaves. */
  enter(name: string): Counter {
    let counter = this.#counters.get(name);
    if (!counter) {
      counter = new Counter(() => this.#counters.delete(name));
      this.#counters.set(name, counter);
    }
    counter.count++;
    return counter;
  }

  of(name: string): number {
    return this.#counters.get(name)?.count ?? 0;
  }

  clear(): void {
    this.#counters.clear();
  }
}

class Counter {
  count = 0;
  readonly #onEmpty: () => void;

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  leave(): void {
    this.count--;
    if (this.count === 0) this.#onEmpty();
  }
}

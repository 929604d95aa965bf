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
  readonly lineage: string;
  readonly provider: string;
  readonly credentialId: string | null;
  /** Begun, and neither ended nor waiting for somebody: it takes up room at the vendor. */
  readonly busy: boolean;
}

/** Runs that were seen to end are remembered for as long as an older row may still be on its way from the store. */
const ENDED_MAX = 20_000;

export function createCensus({ endedMax = ENDED_MAX }: { endedMax?: number } = {}): Census {
  const entries = new BusyMap<RunId, Entry>();
  const ended = new LatestIds(endedMax);
  const byLineage = new Tally();
  const byProvider = new Tally();
  const byCredential = new Tally();

  function count({ lineage, provider, credentialId, busy }: Entry, by: 1 | -1): void {
    byLineage.add(lineage, by);
    if (!busy) return;
    byProvider.add(provider, by);
    if (credentialId !== null) byCredential.add(credentialKey(provider, credentialId), by);
  }

  function forget(id: RunId): void {
    const entry = entries.get(id);
    if (!entry) return;
    ended.add(id);
    entries.delete(id);
    count(entry, -1);
  }

  function saw(run: SeenRun): void {
    if (hasEnded(run)) {
      forget(run.id);
      ended.add(run.id);
      return;
    }
    const known = entries.get(run.id);
    if (known ? known.version > run.version : ended.has(run.id)) return;
    const busy = run.status === 'running' || run.status === 'cancelling';
    // Most moves change nothing of this.
    if (known?.busy === busy && known.provider === run.provider && known.credentialId === run.credentialId) {
      known.version = run.version;
      return;
    }
    if (known) count(known, -1);
    const { version, lineage, provider, credentialId } = run;
    const entry = { version, lineage, provider, credentialId, busy };
    entries.set(run.id, entry);
    count(entry, 1);
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
    busyWith: (provider, credentialId) => byCredential.of(credentialKey(provider, credentialId)),
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

function credentialKey(provider: Run['provider'], credentialId: string): string {
  return `${provider} ${credentialId}`;
}

/** Names with how many there are; those of which there are none are not kept. */
class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, by: 1 | -1): void {
    const now = this.of(name) + by;
    if (now <= 0) this.#counts.delete(name);
    else this.#counts.set(name, now);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  clear(): void {
    this.#counts.clear();
  }
}

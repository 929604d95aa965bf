import { addToCount } from './add-to-count.ts';
import type { QueuedShare } from './ports.ts';

/**
 * What this process knows of the queue: how many runs wait, by provider and key lineage.
 *
 * The rows are the truth, and are counted anew at every turn that claims from them. A run that is written between the
 * count and its arrival here would be overlooked, so those that joined since the count began are added to it.
 */
export interface Queue {
  /** Whether a run of this provider has to stand behind others. */
  hasFor(provider: string): boolean;
  /** How many start before a run of this lineage that joins now, where keys take turns. */
  aheadOf(provider: string, lineage: string): number;
  /** Room for one more run; null: the queue is full, or this lineage has its share of it. */
  join(provider: string, lineage: string): QueueTicket | null;
  /** A run was taken from the queue, and others still stand behind it until the returned function says that it has left, or is back. */
  leave(provider: string): () => void;
  /** Counts anew; `read` is asked for the rows. */
  recount(read: () => Promise<readonly QueuedShare[]>): Promise<readonly QueuedShare[]>;
  readonly total: number;
}

export interface QueueTicket {
  /** The run is on disk. */
  written(): void;
  /** It is not, or `written` was called before. A second time does nothing. */
  leave(): void;
}

/** One key cannot fill the queue for all. */
const LINEAGE_SHARE = 0.5;

export function createQueue({ runsMax }: { runsMax: number }): Queue {
  const lineageMax = Math.ceil(runsMax * LINEAGE_SHARE);
  let counts = new Counts([]);
  /** Written since the count that is under way began. */
  let arrived: QueuedShare[] = [];
  /** About to be written. */
  const joining = new Counts([]);
  const leaving = new Map<string, number>();

  return {
    hasFor: (provider) => leaving.has(provider) || counts.ofProvider(provider).size > 0,
    aheadOf(provider, lineage) {
      const [shares, coming] = [counts.ofProvider(provider), joining.ofProvider(provider)];
      const runsOf = (name: string) => (shares.get(name) ?? 0) + (coming.get(name) ?? 0);
      const own = runsOf(lineage);
      let ahead = own;
      for (const other of new Set([...shares.keys(), ...coming.keys()])) {
        if (other !== lineage) ahead += Math.min(runsOf(other), own + 1);
      }
      return ahead;
    },
    join(provider, lineage) {
      const own = counts.ofLineage(lineage) + joining.ofLineage(lineage);
      if (counts.total + joining.total >= runsMax || own >= lineageMax) return null;
      joining.add({ provider, lineage, runs: 1 });
      let open = true;
      const leave = () => {
        if (open) joining.add({ provider, lineage, runs: -1 });
        open = false;
      };
      return {
        leave,
        written() {
          leave();
          const share = { provider, lineage, runs: 1 };
          counts.add(share);
          arrived.push(share);
        },
      };
    },
    leave(provider) {
      leaving.set(provider, (leaving.get(provider) ?? 0) + 1);
      return () => {
        const left = (leaving.get(provider) ?? 1) - 1;
        if (left > 0) leaving.set(provider, left);
        else leaving.delete(provider);
      };
    },
    async recount(read) {
      arrived = [];
      const shares = await read();
      counts = new Counts([...shares, ...arrived]);
      return shares;
    },
    get total() {
      return counts.total;
    },
  };
}

const NOBODY: ReadonlyMap<string, number> = new Map();

class Counts {
  readonly #byProvider = new Map<string, Map<string, number>>();
  readonly #byLineage = new Map<string, number>();
  total = 0;

  constructor(shares: readonly QueuedShare[]) {
    for (const share of shares) this.add(share);
  }

  add({ provider, lineage, runs }: QueuedShare): void {
    const shares = this.#byProvider.get(provider) ?? new Map<string, number>();
    addToCount(shares, lineage, runs);
    if (shares.size > 0) this.#byProvider.set(provider, shares);
    else this.#byProvider.delete(provider);
    addToCount(this.#byLineage, lineage, runs);
    this.total += runs;
  }

  ofProvider(provider: string): ReadonlyMap<string, number> {
    return this.#byProvider.get(provider) ?? NOBODY;
  }

  ofLineage(lineage: string): number {
    return this.#byLineage.get(lineage) ?? 0;
  }
}

import type { QueuedShare } from './ports.ts';
import { Turns } from './turns.ts';

/**
 * Whose queued runs are begun next. Keys take turns at each provider, however many runs one of them has queued: a key
 * that comes anew waits for one run of each other at most.
 */
export interface FairShares {
  /** At most `total` runs, and of a provider at most `room`; entries of zero runs are left out. */
  pick(queued: readonly QueuedShare[], room: (provider: string) => number, total: number): QueuedShare[];
}

/**
 * Providers take turns for the total, and keys for what their provider gets of it. A provider without anything queued is
 * forgotten. `room` is asked once for each provider that has something queued.
 */
export function createFairShares(): FairShares {
  const providerTurns = new Turns();
  const keyTurns = new Map<string, Turns>();

  function turnsOf(provider: string): Turns {
    let turns = keyTurns.get(provider);
    if (!turns) {
      turns = new Turns();
      keyTurns.set(provider, turns);
    }
    return turns;
  }

  return {
    pick(queued, room, total) {
      const byProvider = new Map<string, QueuedShare[]>();
      for (const share of queued) {
        if (share.runs < 1) continue;
        const shares = byProvider.get(share.provider);
        if (shares) shares.push(share);
        else byProvider.set(share.provider, [share]);
      }
      for (const provider of keyTurns.keys()) if (!byProvider.has(provider)) keyTurns.delete(provider);

      const providers = Array.from(byProvider, ([name, shares]) => ({
        name,
        units: Math.min(sumOf(shares), Math.floor(room(name))),
      }));
      const units = providerTurns.share(providers, total);
      return providers.flatMap(({ name }, index) => {
        const shares = byProvider.get(name) ?? [];
        const waiting = shares.map(({ lineage, runs }) => ({ name: lineage, units: runs }));
        const given = turnsOf(name).share(waiting, units[index] ?? 0);
        return shares.map((share, at) => ({ ...share, runs: given[at] ?? 0 })).filter(({ runs }) => runs > 0);
      });
    },
  };
}

function sumOf(shares: readonly QueuedShare[]): number {
  return shares.reduce((sum, { runs }) => sum + runs, 0);
}

import type { RunStore } from '../../../src/runs/ports.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { judge } from './judge.ts';
import { quietLog } from './quiet-log.ts';
import { play, type Played, type Harm } from './world.ts';

/** Breaks something on purpose. */
export interface Harms extends Harm {
  store?: (store: RunStore) => RunStore;
}

/** Plays one schedule over a store of its own. */
export async function playSeed(
  seed: number,
  { store: harm = (store) => store, ...harms }: Harms = {},
): Promise<Played> {
  let close = async () => {};
  try {
    const open = async (clock: Parameters<Parameters<typeof play>[1]>[0]) => {
      const store = await openStore({ url: 'sqlite::memory:', clock, log: quietLog, role: 'serve', writer: 'inline' });
      close = () => store.close();
      return harm(store.runs);
    };
    return await play(seed, open, harms);
  } finally {
    await close();
  }
}

/** Plays schedules and returns those with faults. */
export async function failingSeeds(from: number, to: number, harms: Harms = {}): Promise<string[]> {
  const failing: string[] = [];
  for (let seed = from; seed <= to; seed++) {
    const faults = judge(await playSeed(seed, harms));
    if (faults.length > 0) failing.push(`seed ${seed}: ${faults.join('; ')}`);
  }
  return failing;
}

/** Whether the judge finds the fault in one of so many schedules, played until it does; `from`: the first seed. */
export async function isFoundOut(harms: Harms, fault: RegExp, schedules: number, from = 1): Promise<boolean> {
  for (let seed = from; seed < from + schedules; seed++) {
    if (fault.test((await failingSeeds(seed, seed, harms)).join())) return true;
  }
  return false;
}

import { describe, expect, it } from 'vitest';
import type { RunId } from '../../src/core/ids.ts';
import type { Provider, ProviderLimits, Registry } from '../../src/providers/registry.ts';
import type { Run } from '../../src/runs/model.ts';
import type { RunStore } from '../../src/runs/ports.ts';
import { failingSeeds, isFoundOut } from '../support/simulation/find-out.ts';
import type { StartNoted } from '../support/simulation/journal-starts.ts';
import { judgeStarts } from '../support/simulation/judge-starts.ts';
import { NARROW } from '../support/simulation/resilience-plan.ts';

const NONE = { concurrency: null, requestsPerMinute: null };

function withLimits(change: (limits: ProviderLimits) => ProviderLimits): (registry: Registry) => Registry {
  const changed = (provider: Provider | null) => provider && { ...provider, limits: change(provider.limits) };
  return (registry) => ({ ...registry, provider: (name) => changed(registry.provider(name)) });
}

/** A vendor's every answer counts as proof that nothing began. */
function credulous(registry: Registry): Registry {
  const changed = <Kind extends Provider['kind']>(kind: Kind): Kind => ({ ...kind, notStarted: () => true });
  return {
    ...registry,
    kind: (name) => {
      const kind = registry.kind(name);
      return kind && changed(kind);
    },
    provider: (name) => {
      const provider = registry.provider(name);
      return provider && { ...provider, kind: changed(provider.kind) };
    },
  };
}

/** Schedules are many, and machines differ. */
const SCHEDULES_MS = 120_000;

describe('starts over several vendors, credentials and limits', { timeout: SCHEDULES_MS }, () => {
  it('keep every invariant in schedules that once showed a fault', async () => {
    for (const seed of [26, 227, 347, 548, 817, 985, 1097, 1966, 2285, 17617, 17955, 21490])
      expect(await failingSeeds(seed, seed)).toEqual([]);
  });

  it('would be found out if a start were sent elsewhere without proof', async () => {
    expect(await isFoundOut({ registry: credulous }, /it was sent to \S+ after \S+ had it, or may have had/, 200)).toBe(
      true,
    );
  });

  it('would be found out if attempts told another credential than the one that was used', async () => {
    const vague = (store: RunStore): RunStore => ({
      ...store,
      move: (from, change) => {
        const attempts = change.patch.attempts?.map((attempt) => ({ ...attempt, credentialId: 'another' }));
        return store.move(from, attempts ? { ...change, patch: { ...change.patch, attempts } } : change);
      },
    });
    expect(await isFoundOut({ store: vague }, /vendors saw .*, and its attempts are/, 100)).toBe(true);
  });

  it('would be found out if credentials that are set aside, or rest, were used', async () => {
    const forgetful = {
      credentials: (source) => ({
        ...source,
        pool: async (provider) => {
          return (await source.pool(provider)).map((pooled) => ({ ...pooled, state: { is: 'usable' } as const }));
        },
      }),
    } satisfies Parameters<typeof isFoundOut>[0];
    expect(await isFoundOut(forgetful, /which was set aside/, 300)).toBe(true);
    expect(await isFoundOut(forgetful, /which was to rest/, 300)).toBe(true);
  });

  it('would be found out if the starts of a minute were forgotten by a restart, or not bounded', async () => {
    const forgetful = (store: RunStore): RunStore => ({ ...store, recentStarts: async () => [] });
    expect(await isFoundOut({ store: forgetful }, /more than \d starts in a minute/, 600)).toBe(true);
    const generous = withLimits((limits) => ({ ...limits, requestsPerMinute: 1_000, perCredential: NONE }));
    expect(await isFoundOut({ registry: generous }, /more than \d starts in a minute/, 300)).toBe(true);
  });

  it('would be found out if a start were not counted', async () => {
    const unbound = withLimits((limits) => ({ ...limits, requestsPerMinute: null, perCredential: NONE }));
    expect(await isFoundOut({ registry: unbound }, /a start left that was not counted/, 100)).toBe(true);
  });

  it('would be found out if runs at once were not bounded', async () => {
    const generous = withLimits((limits) => ({ ...limits, concurrency: null, perCredential: NONE }));
    expect(await isFoundOut({ registry: generous }, /narrow: \d runs at once/, 300)).toBe(true);
    expect(await isFoundOut({ registry: generous }, /narrow-credential-\d: \d runs at once/, 300)).toBe(true);
  });

  it('would be found out if a restart forgot the runs that go on', async () => {
    const forgetful = (store: RunStore): RunStore => ({ ...store, unfinished: async () => [] });
    // One schedule in a thousand shows it: what goes on is looked at, and so known, soon after the restart.
    expect(await isFoundOut({ store: forgetful }, /\d unfinished runs at once/, 200, 2_301)).toBe(true);
  });

  it('would be found out if runs of a day were not counted', async () => {
    const generous = (store: RunStore): RunStore => ({
      ...store,
      create: (run, { idempotency }) => store.create(run, { idempotency, quota: null }),
    });
    expect(await isFoundOut({ store: generous }, /\d runs on 2026/, 300)).toBe(true);
  });

  it('would be found out if copies of a request used up the runs of a day', async () => {
    const greedy = (store: RunStore): RunStore => {
      let copies = 0;
      return {
        ...store,
        create: async (run, options) => {
          const runsMax = (options.quota?.runsMax ?? 0) - copies;
          const quota = options.quota && { ...options.quota, runsMax: Math.max(1, runsMax) };
          const written = await store.create(run, { ...options, quota });
          if (written.kind === 'same') copies += 1;
          return written;
        },
      };
    };
    expect(await isFoundOut({ store: greedy }, /a run was refused before the day was used up/, 600)).toBe(true);
  });

  it('would be found out if queued runs were not begun', async () => {
    const lazy = (store: RunStore): RunStore => ({ ...store, claimQueued: async () => [] });
    expect(await isFoundOut({ store: lazy }, /there was room for it, and it was not begun/, 100)).toBe(true);
  });

  it('would be found out if one key’s runs were always begun first', async () => {
    const unfair = (store: RunStore): RunStore => ({
      ...store,
      claimQueued: async (owner, wanted) => {
        const shares = await store.queuedShares();
        const [first] = shares.toSorted((a, b) => b.runs - a.runs);
        return store.claimQueued(owner, first ? wanted.map(({ runs }) => ({ ...first, runs })) : []);
      },
    });
    expect(await isFoundOut({ store: unfair }, /\d runs of another key were begun before it/, 6_000)).toBe(true);
  });

  it('would be found out if something were counted for ever', async () => {
    const haunted = (store: RunStore): RunStore => ({
      ...store,
      queuedShares: async () => [...(await store.queuedShares()), { provider: 'b3os', lineage: 'ghost', runs: 1 }],
    });
    expect(await isFoundOut({ store: haunted }, /1 runs count as queued, 0 are/, 20)).toBe(true);
    const crowded = (store: RunStore): RunStore => ({
      ...store,
      unfinished: async () => {
        const ghost = { id: 'run_ghost' as RunId, status: 'running', lineage: 'ghost', provider: NARROW } as const;
        return [...(await store.unfinished()), { ...ghost, credentialId: null }];
      },
    });
    expect(await isFoundOut({ store: crowded }, /1 runs count as unfinished, 0 are/, 20)).toBe(true);
    expect(await isFoundOut({ store: crowded }, /a minute after the end \d of \d starts left/, 100)).toBe(true);
  });
});

describe('the judge of where starts go', () => {
  const RUN = 'run_1' as RunId;
  const attempt = { number: 1, step: 'start', provider: 'b3os', credentialId: 'c', at: 10, state: 'open' };
  const row = { id: RUN, status: 'running', attempts: [attempt] } as unknown as Run;
  const opened: StartNoted = { is: 'row', at: 12, process: 1, run: row, counted: null, created: true };
  const breaker = (at: number, state: 'open' | 'half_open', process = 1): StartNoted => ({
    is: 'breaker',
    at,
    process,
    credentialId: 'c',
    state,
  });
  const faults = (starts: StartNoted[]) =>
    judgeStarts({
      histories: [],
      journal: { starts, stopped: new Map() },
      plan: { registry: { provider: () => null }, credentials: new Map() },
    });

  it('finds one that leaves while its breaker is open, and not the one that probes', () => {
    expect(faults([breaker(5, 'open'), opened])).toEqual([`${RUN}: attempt 1 left while the breaker of c was open`]);
    expect(faults([breaker(5, 'open'), breaker(10, 'half_open'), opened])).toEqual([]);
    expect(faults([breaker(5, 'open', 2), opened])).toEqual([]);
  });
});

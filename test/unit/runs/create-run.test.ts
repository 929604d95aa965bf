import { describe, expect, it, onTestFinished } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { createIds } from '../../../src/core/ids.ts';
import aiTutor from '../../../src/providers/catalog/ai-tutor.ts';
import { createCallerLimits } from '../../../src/runs/caller-limits.ts';
import { createRunCreator, type CreateRunParts } from '../../../src/runs/create-run.ts';
import { createPlaces } from '../../../src/runs/places.ts';
import { createQueue } from '../../../src/runs/queue.ts';
import type { RunRequest } from '../../../src/runs/run-service.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { CALLER } from '../../support/lone-engine.ts';
import { UNOBSERVED } from '../../support/quiet-engine.ts';
import { quietLog } from '../../support/simulation/quiet-log.ts';
import { FALLBACKS, fallbackWorld, type FallbackWorld } from './fallback-world.ts';

const REQUEST: RunRequest = {
  workflow: 'either',
  inputs: {},
  options: {},
  metadata: {},
  tags: [],
  onDisconnect: 'continue',
  webhook: null,
};
const ONLY_NARROW = FALLBACKS.slice(0, 1);

/** Asks for runs over a store of its own; what is written as `running` stays so. */
async function creatorOf(world: FallbackWorld, parts: Partial<CreateRunParts> = {}) {
  const { clock, random, census, targets, registry } = world;
  const store = await openStore({ url: 'sqlite::memory:', clock, log: quietLog, role: 'serve', writer: 'inline' });
  onTestFinished(() => store.close());
  const ids = createIds({ clock, random });
  const create = createRunCreator({
    ...UNOBSERVED,
    store: store.runs,
    attempts: {
      send: () => ({ vendorHeaders: {}, upstreamMs: 0 }),
      begin: () => Promise.reject(new Error('not begun')),
    },
    places: createPlaces(100, () => {}),
    queue: createQueue({ runsMax: 100 }),
    targets,
    callerLimits: createCallerLimits({ counts: census, store: store.runs, clock }),
    census,
    budget: { started: () => {} },
    flights: { board: () => () => {} },
    registry: () => registry,
    clock,
    random,
    ids,
    owner: ids.owner(),
    heartbeatIsYoung: () => true,
    draining: () => false,
    onUnsure: () => {},
    ...parts,
  });
  /** Where the run is, or why there is none. */
  return async (caller: Caller = CALLER, listening = false): Promise<string> => {
    try {
      const { run } = await create(caller, REQUEST, { trace: null, idempotencyKey: null, listening });
      return `${run.status} at ${run.provider}`;
    } catch (error) {
      if (error instanceof GatewayError) return error.code;
      throw error;
    }
  };
}

const fiveOf = (ask: () => Promise<string>) => Promise.all(Array.from({ length: 5 }, () => ask()));

describe('new runs that look for a fallback at once', () => {
  const refused = Array.from({ length: 4 }, () => 'upstream_unavailable');

  it.each([
    ['concurrency', { concurrency: 1 }],
    ['requests a minute', { requestsPerMinute: 1 }],
  ])('stay within its limit of %s', async (_, limits) => {
    const world = fallbackWorld({ limits, fallbacks: ONLY_NARROW });
    world.fail('first');
    const ask = await creatorOf(world);
    expect(await fiveOf(ask)).toEqual(['running at narrow', ...refused]);
    expect(world.census.busyAt('narrow')).toBe(1);
    expect(await ask()).toBe('upstream_unavailable');
  });

  it('probe it once, where it was failing', async () => {
    const world = fallbackWorld({ fallbacks: ONLY_NARROW });
    world.fail('narrow');
    world.waitForProbe();
    world.fail('first');
    const ask = await creatorOf(world);
    expect(await fiveOf(ask)).toEqual(['running at narrow', ...refused]);
  });

  it('go on to the next one where others have taken the last place', async () => {
    const world = fallbackWorld({ limits: { concurrency: 1 } });
    world.fail('first');
    const ask = await creatorOf(world);
    const others = Array.from({ length: 4 }, () => 'running at wide');
    expect(await fiveOf(ask)).toEqual(['running at narrow', ...others]);
  });

  it('are refused where a drain begins meanwhile, and take nothing', async () => {
    let draining = false;
    const onOpen = (provider: string) => void (draining = provider === 'narrow');
    const world = fallbackWorld({ limits: { concurrency: 1 }, onOpen });
    world.fail('first');
    const ask = await creatorOf(world, { draining: () => draining });
    expect(await ask()).toBe('shutting_down');
    expect(world.census.unfinished).toBe(0);
    const narrow = world.registry.provider('narrow')!;
    expect((await world.targets.open(narrow)).choose()).toMatchObject({ is: 'go' });
  });
});

describe('a new run that cannot be put together', () => {
  it('gives back all that was taken for it', async () => {
    const suits = () => {
      throw new Error('a kind that is broken');
    };
    const kind = { ...aiTutor, startStream: { ...aiTutor.startStream!, suits } };
    const world = fallbackWorld({ kind, limits: { concurrency: 1 } });
    world.fail('first');
    const caller = { ...CALLER, limits: { ...CALLER.limits, concurrentRuns: 1 } };
    const ask = await creatorOf(world, { places: createPlaces(1, () => {}) });
    await expect(ask(caller, true)).rejects.toThrow('a kind that is broken');
    expect(await ask(caller, false)).toBe('running at narrow');
  });

  it('gives back its room in the queue', async () => {
    const world = fallbackWorld();
    const ids = createIds(world);
    let broken = true;
    const run = () => {
      if (broken) throw new Error('no id for it');
      return ids.run();
    };
    const parts = { places: createPlaces(0, () => {}), queue: createQueue({ runsMax: 1 }), ids: { ...ids, run } };
    const ask = await creatorOf(world, parts);
    await expect(ask()).rejects.toThrow('no id for it');
    broken = false;
    expect(await ask()).toBe('queued at first');
  });
});

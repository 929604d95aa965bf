import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { createCensus } from '../../../src/runs/census.ts';
import { createEndedElsewhere } from '../../../src/runs/ended-elsewhere.ts';
import type { UnfinishedRun } from '../../../src/runs/ports.ts';
import { silentLog } from '../../contract/store/open-test-store.ts';
import { settled, simulatedClock } from '../../support/simulation/simulated-clock.ts';

const TICK_MS = 200;

/** Runs that are counted here, of which the store still has what `unfinished` answers. */
function world(unfinished: () => Promise<UnfinishedRun[]>) {
  const clock = simulatedClock();
  const census = createCensus();
  for (const id of ['run_1', 'run_2']) {
    census.saw({
      id: id as RunId,
      version: 1,
      status: 'running',
      lineage: 'key_1',
      provider: 'b3os',
      credentialId: 'c_1',
    });
  }
  const looks: number[] = [];
  const elsewhere = createEndedElsewhere({
    store: {
      unfinished() {
        looks.push(clock.monotonic());
        return unfinished();
      },
    },
    census,
    clock,
    log: silentLog,
    onEnded: async (id) => census.forget(id),
  });
  return {
    census,
    looks,
    look: () => elsewhere.look(),
    /** The engine's sweeps in this time. */
    pass: async (ms: number, each = () => {}) => {
      for (const untilMs = clock.monotonic() + ms; clock.monotonic() < untilMs; clock.skip(TICK_MS)) {
        each();
        elsewhere.sweep();
        await settled();
      }
    },
  };
}

const left: UnfinishedRun[] = [
  { id: 'run_2' as RunId, status: 'running', lineage: 'key_1', provider: 'b3os', credentialId: 'c_1' },
];

describe('runs that ended elsewhere', () => {
  it('are no longer counted soon after another process has written', async () => {
    const { census, looks, look, pass } = world(async () => left);
    await pass(5_000);
    expect(looks).toEqual([]);
    look();
    await pass(TICK_MS);
    expect(census.ids()).toEqual(['run_2']);
    await pass(5_000);
    expect(looks).toHaveLength(1);
  });

  it('are looked for again where the store could not tell', async () => {
    let failures = 2;
    const { census, looks, look, pass } = world(async () => {
      if (failures-- > 0) throw new GatewayError('store_unavailable');
      return left;
    });
    look();
    await pass(5_000);
    expect(census.ids()).toEqual(['run_2']);
    expect(looks).toEqual([0, 1_000, 2_000]);
  });

  it('are looked for once a second at most, and once more after the last write', async () => {
    const { looks, look, pass } = world(async () => left);
    await pass(3_000, look);
    await pass(5_000);
    expect(looks).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it('are looked for once at a time, however long the store takes', async () => {
    const first = Promise.withResolvers<UnfinishedRun[]>();
    const { looks, look, pass } = world(() => (looks.length === 1 ? first.promise : Promise.resolve(left)));
    await pass(5_000, look);
    expect(looks).toEqual([0]);
    first.resolve(left);
    await settled();
    await pass(2_000);
    expect(looks).toEqual([0, 6_000]);
  });
});

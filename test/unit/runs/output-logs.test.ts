import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import { createIds, type Owner } from '../../../src/core/ids.ts';
import type { Run } from '../../../src/runs/model.ts';
import { createOutputLogs } from '../../../src/runs/output-logs.ts';
import type { RunStore } from '../../../src/runs/ports.ts';
import { openStore, type Store } from '../../../src/store/open-store.ts';
import { newRun } from '../../contract/store/sample-run.ts';
import { quietLog } from '../../support/simulation/quiet-log.ts';
import { seededRandom } from '../../support/simulation/seeded-random.ts';
import { simulatedClock, type SimulatedClock } from '../../support/simulation/simulated-clock.ts';

const OWNER = 'own_first' as Owner;

describe('output of a stream', () => {
  let clock: SimulatedClock;
  let store: Store;
  let run: Run;

  beforeEach(async () => {
    clock = simulatedClock();
    store = await openStore({ url: 'sqlite::memory:', clock, log: quietLog, role: 'serve', writer: 'inline' });
    const id = createIds({ clock, random: seededRandom(1) }).run();
    const created = await store.runs.create(newRun(id, clock.now()), { idempotency: null, quota: null });
    if (created.kind !== 'created') throw new Error('not created');
    run = created.run;
  });
  afterEach(() => store.close());

  function open(changes: Partial<Pick<RunStore, 'append'>> = {}) {
    const limits = { deltaGroupMs: 50, deltaGroupCharacters: 20 };
    const runs = { ...store.runs, ...changes };
    const { signal } = new AbortController();
    return createOutputLogs({ store: runs, clock, log: quietLog, owner: OWNER, limits, stopped: signal }).open(run);
  }

  async function said(): Promise<unknown[]> {
    const events = await store.runs.eventsAfter(run.id, 2, 1_000);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 3));
    return events.map(({ data }) => data);
  }

  it('is gathered for a moment, and stored as one event', async () => {
    const log = open();
    for (const text of ['Once', ' upon', ' a time']) log.delta(text);
    expect(await said()).toEqual([]);
    await clock.step();
    expect(await said()).toEqual([{ text: 'Once upon a time' }]);
  });

  it('is stored at once where there is much of it, and in order with what comes between', async () => {
    const log = open();
    log.delta('x'.repeat(25));
    log.delta('tail');
    log.progress('step', { n: 1 });
    log.delta('end');
    await log.flush();
    expect(await said()).toEqual([
      { text: 'x'.repeat(25) },
      { text: 'tail' },
      { name: 'step', data: { n: 1 } },
      { text: 'end' },
    ]);
  });

  it('is waited for as far as it was said, however much is said meanwhile', async () => {
    let goesOn = true;
    const log = open({
      async append(...args) {
        await Promise.resolve();
        if (goesOn) log.progress('more', { n: 2 });
        return store.runs.append(...args);
      },
    });
    log.progress('step', { n: 1 });
    await log.flush();
    goesOn = false;
    expect((await said())[0]).toEqual({ name: 'step', data: { n: 1 } });
    await log.flush();
  });

  it.each(['before', 'after'] as const)('is stored once where the store fails %s the write', async (when) => {
    let failures = 3;
    const log = open({
      async append(...args) {
        const fails = failures-- > 0;
        if (fails && when === 'before') throw new GatewayError('store_unavailable');
        const seq = await store.runs.append(...args);
        if (fails) throw new GatewayError('store_unavailable');
        return seq;
      },
    });
    log.delta('one');
    const flushed = log.flush();
    log.delta('two');
    while (await clock.step());
    await flushed;
    expect(((await said()) as { text: string }[]).map(({ text }) => text).join('')).toBe('onetwo');
  });

  it('ends where the run is another’s', async () => {
    const log = open();
    await store.runs.release(OWNER, []);
    log.delta('late');
    await log.flush();
    expect(log.stale).toBe(true);
    expect(await said()).toEqual([]);
  });

  it('lets who reads the stream wait while the disk does not keep up', async () => {
    const stored = Promise.withResolvers<void>();
    const log = open({ append: async (...args) => stored.promise.then(() => store.runs.append(...args)) });
    for (let i = 0; i < 10; i++) log.delta('x'.repeat(20));
    let ready = false;
    const waited = log.ready().then(() => (ready = true));
    await Promise.resolve();
    expect(ready).toBe(false);
    stored.resolve();
    await waited;
    await log.flush();
    expect((await said()).length).toBe(10);
  });
});

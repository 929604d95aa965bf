import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunStatus } from '../../../src/runs/model.ts';
import { USAGE_SPAN_MS_MAX, type NewRun, type UsageRow } from '../../../src/runs/ports.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun, success } from './sample-run.ts';

const NONE = { name: null, runs: 0, succeeded: 0, failed: 0, cancelled: 0, timed_out: 0, unfinished: 0, runSeconds: 0 };

/** What every engine does alike for the sums of runs. */
export function usageSuite(name: string, options: Partial<StoreOptions>): void {
  describe(`the usage of a run store (${name})`, () => {
    let place: TestPlace;
    let store: Store;
    let from: number;

    beforeEach(async () => {
      place = createTestPlace(options);
      store = await place.open();
      from = place.clock.now();
    });
    afterEach(() => place.remove());

    /** A run that begins now and ends so after `ms`. */
    async function run(given: Partial<NewRun> & { end?: RunStatus; ms?: number } = {}): Promise<void> {
      const { end, ms = 0, ...overrides } = given;
      const now = place.clock.now();
      const result = await store.runs.create(newRun(place.nextId(), now, overrides), {
        idempotency: null,
        quota: null,
      });
      if (result.kind !== 'created' || end === undefined) return;
      const change = { ...success(result.run, now + ms), status: end };
      expect(await store.runs.move({ run: result.run }, change)).not.toBe('stale');
    }

    const usage = (groupBy: 'provider' | 'workflow' | 'key', to = place.clock.now() + 1) =>
      store.runs.usage({ groupBy, from, to });
    const row = (group: string, counts: Partial<UsageRow>): UsageRow => ({ ...NONE, group, ...counts });

    it('is nothing where there are no runs', async () => {
      expect(await usage('provider')).toEqual([]);
    });

    it('counts every status, and the time from start to end', async () => {
      await run({ end: 'succeeded', ms: 60 });
      await run({ end: 'succeeded', ms: 40 });
      await run({ end: 'failed', ms: 200 });
      await run({ end: 'cancelled', startedAt: null, ms: 9_000 });
      await run({ end: 'timed_out', ms: 7 });
      await run();
      await run({ status: 'queued', owner: null, startedAt: null });
      const counts = { runs: 7, succeeded: 2, failed: 1, cancelled: 1, timed_out: 1, unfinished: 2 };
      expect(await usage('provider')).toEqual([row('ai-tutor', { ...counts, runSeconds: 0.307 })]);
    });

    it('adds up by provider, by workflow or by key, the most first', async () => {
      await run({ provider: 'b3os', workflow: 'wf_1', keyId: 'a1', keyName: 'desk' });
      await run({ provider: 'ai-tutor', workflow: 'wf_2', keyId: 'a1', keyName: 'desk, renamed' });
      await run({ provider: 'b3os', workflow: 'wf_3', keyId: 'a2', keyName: 'shop' });
      const one = { runs: 1, unfinished: 1 };
      const two = { runs: 2, unfinished: 2 };
      expect(await usage('provider')).toEqual([row('b3os', two), row('ai-tutor', one)]);
      expect(await usage('workflow')).toEqual(['wf_1', 'wf_2', 'wf_3'].map((group) => row(group, one)));
      expect(await usage('key')).toEqual([
        row('a1', { ...two, name: 'desk, renamed' }),
        row('a2', { ...one, name: 'shop' }),
      ]);
    });

    it('takes the runs from its first moment until before its last', async () => {
      await run();
      place.clock.advance(1_000);
      const second = place.clock.now();
      await run();
      place.clock.advance(1_000);
      await run();
      const runs = async (begin: number, end: number) =>
        (await store.runs.usage({ groupBy: 'provider', from: begin, to: end }))[0]?.runs ?? 0;
      const last = place.clock.now();
      expect(await runs(from, last + 1)).toBe(3);
      expect(await runs(from, last)).toBe(2);
      expect(await runs(second, last)).toBe(1);
      expect(await runs(second + 1, last)).toBe(0);
      expect(await runs(last, from)).toBe(0);
      expect(await runs(from - 1_000, last)).toBe(2);
    });

    it('adds up any number of runs, and lets others in between', async () => {
      const begun = Array.from({ length: 2_501 }, (_, i) => run({ provider: i % 5 === 0 ? 'b3os' : 'ai-tutor' }));
      await Promise.all(begun);
      let turns = 0;
      let counting = true;
      const count = () => {
        turns++;
        if (counting) setImmediate(count);
      };
      setImmediate(count);
      const rows = await usage('provider');
      counting = false;
      expect(rows.map(({ group, runs }) => [group, runs])).toEqual([
        ['ai-tutor', 2_000],
        ['b3os', 501],
      ]);
      expect(turns).toBeGreaterThanOrEqual(2);
    });

    it('tells a bounded number of groups apart, and forgets no run', async () => {
      await Promise.all(Array.from({ length: 1_005 }, (_, i) => run({ workflow: `wf_${i}` })));
      const rows = await usage('workflow');
      expect(rows).toHaveLength(1_001);
      expect(rows[0]).toEqual(row('', { runs: 5, unfinished: 5 }));
      expect(rows.reduce((sum, { runs }) => sum + runs, 0)).toBe(1_005);
    });

    it('ends with its caller', async () => {
      await run();
      const options = { groupBy: 'key', from, to: from + 1, signal: AbortSignal.abort(new Error('gone')) } as const;
      await expect(store.runs.usage(options)).rejects.toThrow('gone');
      expect(await usage('key')).toHaveLength(1);
    });

    it('refuses a span that is too long', async () => {
      const to = from + USAGE_SPAN_MS_MAX;
      await expect(store.runs.usage({ groupBy: 'key', from, to: to + 1 })).rejects.toThrow('too long');
      expect(await store.runs.usage({ groupBy: 'key', from, to })).toEqual([]);
    });
  });
}

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Owner } from '../../../src/core/ids.ts';
import type { Delivery, Run } from '../../../src/runs/model.ts';
import type { DeliveryResult, NewDelivery, NewRun } from '../../../src/runs/ports.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun, success } from './sample-run.ts';

const FIRST = 'own_first' as Owner;
const SECOND = 'own_second' as Owner;
const WEBHOOK = { url: 'https://app.example/hook', events: ['run.waiting', 'run.succeeded'] } as const;

/** What every engine does alike for messages to callers' webhooks. */
export function deliveriesSuite(name: string, options: Partial<StoreOptions>): void {
  describe(`messages to webhooks (${name})`, () => {
    let place: TestPlace;
    let store: Store;

    beforeEach(async () => {
      place = createTestPlace(options);
      store = await place.open();
    });
    afterEach(() => place.remove());

    async function created(overrides: Partial<NewRun> = {}): Promise<Run> {
      const run = newRun(place.nextId(), place.clock.now(), { webhook: WEBHOOK, ...overrides });
      const result = await store.runs.create(run, { idempotency: null, quota: null });
      if (result.kind !== 'created') throw new Error(`expected a created run, got ${result.kind}`);
      return result.run;
    }

    function message(run: Run, overrides: Partial<NewDelivery> = {}): NewDelivery {
      const id = `dlv_${run.id.slice(4)}_${run.seq + 1}`;
      return { id, event: 'run.succeeded', snapshot: null, createdAt: place.clock.now(), ...overrides };
    }

    async function ended(run: Run, deliveries: NewDelivery[] = [message(run)]): Promise<Run> {
      const moved = await store.runs.move({ run }, { ...success(run, place.clock.now()), deliveries });
      if (moved === 'stale') throw new Error('the run could not be ended');
      return moved;
    }

    /** A run that waits, and says so. */
    async function waited(run: Run): Promise<Run> {
      const moved = await store.runs.move(
        { run },
        {
          status: 'waiting',
          patch: { waiting: { for: 'input', hint: { field: 'x' } } },
          events: [{ type: 'run.waiting', at: place.clock.now(), data: {} }],
          deliveries: [message(run, { event: 'run.waiting', snapshot: { status: 'waiting', seen: [1, null, 'ü'] } })],
          owner: null,
          dueInMs: 60_000,
        },
      );
      if (moved === 'stale') throw new Error('nobody else moves this run');
      return moved;
    }

    async function only(run: Run): Promise<Delivery> {
      const [first, ...more] = await store.runs.deliveries(run.id);
      if (first === undefined || more.length > 0) throw new Error('expected one message');
      return first;
    }

    const answered = (overrides: Partial<DeliveryResult> = {}): DeliveryResult => ({
      status: 'delivered',
      at: place.clock.now(),
      responseStatus: 204,
      error: null,
      nextInMs: null,
      ...overrides,
    });

    describe('writing', () => {
      it('is one with the move', async () => {
        const run = await waited(await created());
        const end = await ended(run);
        const now = place.clock.now();
        const fresh = { runId: run.id, createdAt: now, status: 'pending', tries: 0, dueAt: now };
        const untried = { ...fresh, lastAt: null, lastStatus: null, lastError: null };
        expect(await store.runs.deliveries(end.id)).toEqual([
          {
            ...untried,
            id: `dlv_${run.id.slice(4)}_3`,
            event: 'run.waiting',
            snapshot: { status: 'waiting', seen: [1, null, 'ü'] },
          },
          { ...untried, id: `dlv_${run.id.slice(4)}_4`, event: 'run.succeeded', snapshot: null },
        ]);
      });

      it('does not happen where the run has changed', async () => {
        const run = await created();
        const change = { ...success(run, 9), deliveries: [message(run)] };
        const results = await Promise.all(Array.from({ length: 20 }, () => store.runs.move({ run }, change)));
        expect(results.filter((result) => result === 'stale')).toHaveLength(19);
        expect(await store.runs.deliveries(run.id)).toHaveLength(1);
      });

      it('comes with a move that takes a key, or not at all', async () => {
        const run = await waited(await created());
        const change = { ...success(run, 9), deliveries: [message(run)] };
        const claim = { lineage: run.lineage, subject: '', key: 'k', fingerprint: 'f' };
        expect(await store.runs.moveOnce({ run: { ...run, version: 9 } }, change, claim)).toBe('stale');
        expect(await store.runs.deliveries(run.id)).toHaveLength(1);
        expect(await store.runs.moveOnce({ run }, change, claim)).toMatchObject({ kind: 'moved' });
        expect(await store.runs.deliveries(run.id)).toHaveLength(2);
      });

      it('takes the move back where a message cannot be written', async () => {
        const run = await created();
        const twice = [message(run), message(run)];
        await expect(store.runs.move({ run }, { ...success(run, 9), deliveries: twice })).rejects.toMatchObject({
          code: 'internal',
        });
        expect(await store.runs.peek(run.id)).toEqual(run);
        expect(await store.runs.deliveries(run.id)).toEqual([]);
      });

      it('keeps the order of a run that waits again and again', async () => {
        let run = await created();
        for (let i = 0; i < 12; i++) run = await waited(run);
        const numbers = (await store.runs.deliveries(run.id)).map(({ id }) => Number(id.split('_').at(-1)));
        expect(numbers).toEqual(Array.from({ length: 12 }, (_, i) => i + 3));
      });
    });

    describe('claiming', () => {
      it('takes what is due, longest due first, and no more than is asked for', async () => {
        const runs = [];
        for (let i = 0; i < 5; i++) {
          runs.push(await ended(await created()));
          place.clock.advance(10);
        }
        const first = await store.runs.claimDeliveries(FIRST, 3);
        expect(first.map(({ runId }) => runId)).toEqual(runs.slice(0, 3).map(({ id }) => id));
        expect(first[0]).toEqual(await only(runs[0] as Run));
        expect(first[0]).toMatchObject({ status: 'pending', dueAt: null });
        expect(await store.runs.claimDeliveries(FIRST, 3)).toHaveLength(2);
        expect(await store.runs.claimDeliveries(FIRST, 3)).toEqual([]);
      });

      it('gives no message to two', async () => {
        for (let i = 0; i < 40; i++) await ended(await created());
        const claims = await Promise.all(
          Array.from({ length: 30 }, (_, i) => store.runs.claimDeliveries(i % 2 > 0 ? FIRST : SECOND, 3)),
        );
        const ids = claims.flat().map(({ id }) => id);
        expect(ids).toHaveLength(40);
        expect(new Set(ids).size).toBe(40);
      });

      it('takes nothing before its time', async () => {
        const run = await ended(await created());
        const [claimed] = await store.runs.claimDeliveries(FIRST, 10);
        const id = claimed?.id ?? '';
        const failure = answered({ status: 'pending', responseStatus: null, error: 'timeout', nextInMs: 5_000 });
        expect(await store.runs.settleDelivery(id, FIRST, failure)).toBe('ok');
        expect(await store.runs.claimDeliveries(FIRST, 10)).toEqual([]);
        place.clock.advance(4_999);
        expect(await store.runs.claimDeliveries(FIRST, 10)).toEqual([]);
        place.clock.advance(1);
        expect(await store.runs.claimDeliveries(FIRST, 10)).toEqual([
          { ...(await only(run)), tries: 1, lastError: 'timeout', dueAt: null },
        ]);
      });

      it('takes a message as soon as it would have been due, where the clock was set back', async () => {
        const run = await ended(await created());
        const [claimed] = await store.runs.claimDeliveries(FIRST, 10);
        const failure = answered({ status: 'pending', responseStatus: 500, error: 'refused', nextInMs: 300_000 });
        await store.runs.settleDelivery(claimed?.id ?? '', FIRST, failure);
        const before = await ended(await created());
        place.clock.advance(-60_000);
        await store.runs.hasten(60_000);
        expect(await only(run)).toMatchObject({ status: 'pending', dueAt: place.clock.now() + 300_000 });
        expect(await only(before)).toMatchObject({ status: 'pending', dueAt: place.clock.now() });
      });
    });

    describe('settling', () => {
      it('counts the try and keeps its answer', async () => {
        const run = await ended(await created());
        const [claimed] = await store.runs.claimDeliveries(FIRST, 10);
        const id = claimed?.id ?? '';
        const refused = answered({ status: 'pending', responseStatus: 500, error: 'refused', nextInMs: 5_000 });
        await store.runs.settleDelivery(id, FIRST, refused);
        const after = { tries: 1, lastAt: place.clock.now(), lastStatus: 500, lastError: 'refused' };
        expect(await only(run)).toMatchObject({ ...after, status: 'pending', dueAt: place.clock.now() + 5_000 });
        place.clock.advance(5_000);
        await store.runs.claimDeliveries(FIRST, 10);
        expect(await store.runs.settleDelivery(id, FIRST, answered())).toBe('ok');
        const done = { tries: 2, lastAt: place.clock.now(), lastStatus: 204, lastError: null };
        expect(await only(run)).toMatchObject({ ...done, status: 'delivered', dueAt: null });
      });

      it('is refused to whoever has not got the message', async () => {
        const run = await ended(await created());
        const before = await only(run);
        expect(await store.runs.settleDelivery(before.id, FIRST, answered())).toBe('stale');
        await store.runs.claimDeliveries(FIRST, 10);
        expect(await store.runs.settleDelivery(before.id, SECOND, answered())).toBe('stale');
        expect(await store.runs.settleDelivery(before.id, FIRST, answered({ afterTries: 1 }))).toBe('stale');
        expect(await store.runs.settleDelivery('dlv_unknown', FIRST, answered())).toBe('stale');
        expect(await only(run)).toEqual({ ...before, dueAt: null });
        expect(await store.runs.settleDelivery(before.id, FIRST, answered())).toBe('ok');
        expect(await store.runs.settleDelivery(before.id, FIRST, answered())).toBe('stale');
        expect(await only(run)).toMatchObject({ tries: 1 });
      });

      it('ends every pending message of a run whose target is gone, and those that come later', async () => {
        const run = await waited(await created());
        const [delivered] = await store.runs.claimDeliveries(FIRST, 10);
        await store.runs.settleDelivery(delivered?.id ?? '', FIRST, answered());
        const again = await waited(await waited(run));
        const other = await ended(await created());
        const [tried, beside] = await store.runs.claimDeliveries(FIRST, 2);
        const gone = answered({ status: 'gone', responseStatus: 410 });
        expect(await store.runs.settleDelivery(tried?.id ?? '', FIRST, gone)).toBe('ok');
        expect(await store.runs.settleDelivery(beside?.id ?? '', FIRST, answered())).toBe('stale');
        await ended(again);
        const all = await store.runs.deliveries(run.id);
        expect(all.map(({ status, tries, dueAt }) => [status, tries, dueAt])).toEqual([
          ['delivered', 1, null],
          ['gone', 1, null],
          ['gone', 0, null],
          ['gone', 0, null],
        ]);
        expect(await only(other)).toMatchObject({ status: 'pending' });
        expect((await store.runs.claimDeliveries(FIRST, 10)).map(({ runId }) => runId)).toEqual([other.id]);
      });
    });

    describe('sending again', () => {
      it.each(['delivered', 'failed', 'gone'] as const)(
        'begins a %s message anew, and keeps its last answer',
        async (status) => {
          const run = await ended(await created());
          const [claimed] = await store.runs.claimDeliveries(FIRST, 10);
          const id = claimed?.id ?? '';
          await store.runs.settleDelivery(id, FIRST, answered({ status, responseStatus: 410 }));
          const settled = await only(run);
          place.clock.advance(1_000);
          const again = await store.runs.redeliver(run.id, id);
          expect(again).toEqual({ ...settled, status: 'pending', tries: 0, dueAt: place.clock.now() });
          expect(await only(run)).toEqual(again);
          expect((await store.runs.claimDeliveries(SECOND, 10)).map((one) => one.id)).toEqual([id]);
        },
      );

      it.each(['delivered', 'pending', 'failed', 'gone'] as const)(
        'waits for the try that is under way, and forgets what that comes to (%s)',
        async (status) => {
          const run = await ended(await created());
          const [claimed] = await store.runs.claimDeliveries(FIRST, 10);
          const id = claimed?.id ?? '';
          const again = await store.runs.redeliver(run.id, id);
          expect(again).toMatchObject({ status: 'pending', tries: 0, dueAt: place.clock.now() });
          expect(await store.runs.claimDeliveries(FIRST, 10)).toEqual([]);
          const nextInMs = status === 'pending' ? 5_000 : null;
          const result = answered({ status, nextInMs, afterTries: 0 });
          expect(await store.runs.settleDelivery(id, SECOND, result)).toBe('stale');
          expect(await store.runs.claimDeliveries(SECOND, 10)).toEqual([]);
          expect(await store.runs.settleDelivery(id, FIRST, result)).toBe('stale');
          expect(await only(run)).toEqual(again);
          expect(await store.runs.claimDeliveries(FIRST, 10)).toMatchObject([{ id, tries: 0, lastAt: null }]);
          expect(await store.runs.settleDelivery(id, FIRST, answered({ afterTries: 0 }))).toBe('ok');
          expect(await only(run)).toMatchObject({ status: 'delivered', tries: 1 });
        },
      );

      it('does not wait for a process that has died', async () => {
        const run = await ended(await created());
        const [claimed] = await store.runs.claimDeliveries(FIRST, 10);
        await store.runs.redeliver(run.id, claimed?.id ?? '');
        await store.runs.reclaim(SECOND);
        expect(await store.runs.claimDeliveries(SECOND, 10)).toMatchObject([{ id: claimed?.id }]);
      });

      it('knows only messages of that run', async () => {
        const run = await ended(await created());
        const other = await ended(await created());
        const { id } = await only(other);
        expect(await store.runs.redeliver(run.id, id)).toBeNull();
        expect(await store.runs.redeliver(run.id, 'dlv_unknown')).toBeNull();
      });
    });

    describe('owners', () => {
      it('take over what a dead one tried, who can settle it no more', async () => {
        await store.runs.beat(FIRST);
        const run = await ended(await created());
        const [claimed] = await store.runs.claimDeliveries(FIRST, 10);
        const own = await ended(await created());
        await store.runs.claimDeliveries(SECOND, 10);
        expect(await store.runs.reclaim(SECOND)).toBe(1);
        expect(await store.runs.settleDelivery(claimed?.id ?? '', FIRST, answered())).toBe('stale');
        expect(await store.runs.claimDeliveries(FIRST, 10)).toEqual([]);
        expect((await store.runs.claimDeliveries(SECOND, 10)).map(({ runId }) => runId)).toEqual([run.id]);
        expect(await store.runs.settleDelivery((await only(own)).id, SECOND, answered())).toBe('ok');
      });

      it.skipIf(options.url === 'sqlite::memory:')('find messages where a lost process left them', async () => {
        const pending = await ended(await created());
        await store.runs.claimDeliveries(FIRST, 10);
        const untouched = await ended(await created());
        await store.close();
        store = await place.open();
        expect(await store.runs.claimDeliveries(SECOND, 10)).toMatchObject([{ runId: untouched.id }]);
        await store.runs.reclaim(SECOND);
        expect(await store.runs.claimDeliveries(SECOND, 10)).toMatchObject([{ runId: pending.id, tries: 0 }]);
      });

      it('give back what they have but for exceptions and for younger runs', async () => {
        const old = await ended(await created());
        const kept = await ended(await created());
        place.clock.advance(10_000);
        const young = await ended(await created());
        expect(await store.runs.claimDeliveries(FIRST, 10)).toHaveLength(3);
        expect(await store.runs.release(FIRST, [kept.id], place.clock.now() - 5_000)).toBe(1);
        expect((await store.runs.claimDeliveries(SECOND, 10)).map(({ runId }) => runId)).toEqual([old.id]);
        expect(await store.runs.release(FIRST, [])).toBe(2);
        const rest = (await store.runs.claimDeliveries(SECOND, 10)).map(({ runId }) => runId);
        expect(rest.toSorted()).toEqual([kept.id, young.id]);
      });
    });

    it.each(['purge', 'remove'] as const)('are deleted with their run (%s)', async (verb) => {
      const run = await ended(await waited(await created()));
      await store.runs.claimDeliveries(FIRST, 1);
      place.clock.advance(1_000);
      const other = await ended(await created());
      if (verb === 'purge') expect(await store.runs.purge(place.clock.now() - 500, 10)).toBe(1);
      else expect(await store.runs.remove(run.id)).toBe('removed');
      expect(await store.runs.deliveries(run.id)).toEqual([]);
      expect((await store.runs.claimDeliveries(SECOND, 10)).map(({ runId }) => runId)).toEqual([other.id]);
      expect(await store.runs.reclaim(SECOND)).toBe(0);
    });
  });
}

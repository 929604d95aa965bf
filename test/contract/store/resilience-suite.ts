import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Owner } from '../../../src/core/ids.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { Change, CountedStart, DayQuota, IdempotencyClaim, NewRun } from '../../../src/runs/ports.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun, success } from './sample-run.ts';

const FIRST = 'own_first' as Owner;
const SECOND = 'own_second' as Owner;
const MINUTE_MS = 60_000;
const QUEUED = { owner: null, status: 'queued', dueInMs: MINUTE_MS } as const;

/** What every engine does alike for days' quotas, starts a minute, and queues that many keys share. */
export function resilienceSuite(name: string, options: Partial<StoreOptions>): void {
  describe(`the counts and queues of a run store (${name})`, () => {
    let place: TestPlace;
    let store: Store;

    beforeEach(async () => {
      place = createTestPlace(options);
      store = await place.open();
    });
    afterEach(() => place.remove());

    interface Begun {
      quota?: DayQuota;
      idempotency?: IdempotencyClaim;
    }

    const begin = (overrides: Partial<NewRun> = {}, { quota, idempotency }: Begun = {}) => {
      const run = newRun(place.nextId(), place.clock.now(), overrides);
      return store.runs.create(run, { idempotency: idempotency ?? null, quota: quota ?? null });
    };

    async function created(overrides: Partial<NewRun> = {}, begun: Begun = {}): Promise<Run> {
      const result = await begin(overrides, begun);
      if (result.kind !== 'created') throw new Error(`expected a created run, got ${result.kind}`);
      return result.run;
    }

    const kindsOf = (results: readonly { kind: string }[]) => results.map(({ kind }) => kind);
    const count = (results: readonly { kind: string }[], kind: string) =>
      results.filter((result) => result.kind === kind).length;

    describe('a quota of runs a day', () => {
      const quota = (runsMax: number, day = '2027-03-01'): DayQuota => ({ day, runsMax });
      const claimOf = (key: string, fingerprint = 'body'): IdempotencyClaim => {
        return { lineage: 'key_7d2f8a', subject: '', key, fingerprint };
      };

      it('lets exactly as many runs begin, however many come at once', async () => {
        const results = await Promise.all(Array.from({ length: 50 }, () => begin({}, { quota: quota(7) })));
        expect(count(results, 'created')).toBe(7);
        expect(count(results, 'over_quota')).toBe(43);
        expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 7 });
      });

      it('allows none where it is zero', async () => {
        expect(await begin({}, { quota: quota(0) })).toEqual({ kind: 'over_quota' });
      });

      it('is each day anew, and each lineage its own', async () => {
        const results = [];
        for (const day of ['2027-03-01', '2027-03-01', '2027-03-02']) {
          results.push(await begin({}, { quota: quota(1, day) }));
        }
        results.push(await begin({ lineage: 'key_b' }, { quota: quota(1, '2027-03-02') }));
        results.push(await begin({ lineage: 'key_b' }));
        expect(kindsOf(results)).toEqual(['created', 'over_quota', 'created', 'created', 'created']);
      });

      it('counts what began before it was set lower or higher', async () => {
        await created({}, { quota: quota(5) });
        await created({}, { quota: quota(5) });
        expect(await begin({}, { quota: quota(1) })).toEqual({ kind: 'over_quota' });
        expect(await begin({}, { quota: quota(3) })).toMatchObject({ kind: 'created' });
        expect(await begin({}, { quota: quota(3) })).toEqual({ kind: 'over_quota' });
      });

      it.skipIf(options.url !== undefined)('is still known to the next process (skipped in memory)', async () => {
        await created({}, { quota: quota(1) });
        await store.close();
        store = await place.open();
        expect(await begin({}, { quota: quota(1) })).toEqual({ kind: 'over_quota' });
      });

      it('writes nothing of a run beyond it: no run, no event, no key, no start', async () => {
        await created({}, { quota: quota(1) });
        const run = newRun(place.nextId(), place.clock.now(), {
          inputs: { text: 'x'.repeat(20_000) },
          countedStart: { provider: 'ai-tutor', credentialId: 'cred_3b1c', at: place.clock.now() },
        });
        const refused = { idempotency: claimOf('k'), quota: quota(1) };
        expect(await store.runs.create(run, refused)).toEqual({ kind: 'over_quota' });
        expect(await store.runs.get(run.id)).toBeNull();
        expect(await store.runs.eventsAfter(run.id, 0, 10)).toEqual([]);
        expect(await store.runs.findByKey(claimOf('k'))).toBeNull();
        expect(await store.runs.recentStarts(0)).toEqual([]);
        expect(await store.runs.create(run, { ...refused, quota: quota(2) })).toMatchObject({ kind: 'created' });
      });

      it('answers a request that came before, and counts it once, however full the day', async () => {
        const first = await created({}, { quota: quota(2), idempotency: claimOf('k') });
        const same = () => begin({}, { quota: quota(2), idempotency: claimOf('k') });
        expect(await same()).toMatchObject({ kind: 'same', runId: first.id });
        await created({}, { quota: quota(2) });
        expect(await same()).toMatchObject({ kind: 'same', runId: first.id, run: { id: first.id } });
        const other = { quota: quota(2), idempotency: claimOf('k', 'another body') };
        expect(await begin({}, other)).toEqual({ kind: 'reused' });
        expect(await begin({}, { quota: quota(2), idempotency: claimOf('new') })).toEqual({ kind: 'over_quota' });
      });

      it('counts copies of one request that come at once as one', async () => {
        const copies = Array.from({ length: 20 }, () => begin({}, { quota: quota(2), idempotency: claimOf('k') }));
        const others = Array.from({ length: 20 }, (_, i) =>
          begin({}, { quota: quota(2), idempotency: claimOf(`o${i}`) }),
        );
        const results = await Promise.all([...copies, ...others]);
        expect(count(results, 'created')).toBe(2);
        expect(count(results, 'same')).toBe(19);
        expect(count(results, 'over_quota')).toBe(19);
      });

      it('leaves a key that has served as it was where the day is full', async () => {
        const served = await created({}, { idempotency: claimOf('k') });
        await store.runs.move({ run: served }, success(served, place.clock.now()));
        await created({}, { quota: quota(1) });
        place.clock.advance(2 * 86_400_000);
        expect(await begin({}, { quota: quota(1), idempotency: claimOf('k', 'new') })).toEqual({ kind: 'over_quota' });
        const run = await created({}, { idempotency: claimOf('k', 'new') });
        expect(await store.runs.findByKey(claimOf('k', 'new'))).toMatchObject({ kind: 'same', runId: run.id });
      });

      it('counts right where a write beside them breaks a rule, and all are done again one by one', async () => {
        const taken = await created();
        const results = await Promise.allSettled([
          begin({}, { quota: quota(3) }),
          begin({ id: taken.id }, { quota: quota(3), idempotency: claimOf('broken') }),
          begin({ lineage: undefined as unknown as string }, { quota: quota(3) }),
          ...Array.from({ length: 4 }, () => begin({}, { quota: quota(3) })),
        ]);
        const kinds = results.map((result) => (result.status === 'fulfilled' ? result.value.kind : 'broken'));
        expect(kinds).toEqual(['created', 'broken', 'broken', 'created', 'created', 'over_quota', 'over_quota']);
        expect(await store.runs.findByKey(claimOf('broken'))).toBeNull();
      });
    });

    describe('counted starts', () => {
      const start = (overrides: Partial<CountedStart> = {}): CountedStart => {
        return { provider: 'ai-tutor', credentialId: 'cred_3b1c', at: place.clock.now(), ...overrides };
      };
      const leaves = (countedStart?: CountedStart): Change => ({
        status: 'running',
        patch: {},
        events: [],
        owner: FIRST,
        dueInMs: null,
        ...(countedStart === undefined ? {} : { countedStart }),
      });

      it('are remembered with the run that begins at once, and with the move that lets one leave', async () => {
        await created({ countedStart: start() });
        await created();
        const run = await created(QUEUED);
        const other = start({ credentialId: 'env:B3OS_KEY', provider: 'b3os', at: place.clock.now() + 5 });
        const moved = await store.runs.move({ run }, leaves(other));
        if (moved === 'stale') throw new Error('nobody else moved it');
        await store.runs.move({ run: moved }, leaves());
        expect(await store.runs.recentStarts(0)).toEqual([start(), other]);
      });

      it('count each by itself, in whatever millisecond they leave', async () => {
        await Promise.all(Array.from({ length: 30 }, () => created({ countedStart: start() })));
        await created({ countedStart: start({ credentialId: 'cred_other' }) });
        const starts = await store.runs.recentStarts(place.clock.now());
        expect(starts).toHaveLength(31);
        expect(starts.filter(({ credentialId }) => credentialId === 'cred_3b1c')).toHaveLength(30);
      });

      it('are told oldest first, from a moment on', async () => {
        const at = place.clock.now();
        for (const ms of [20, 0, 10]) await created({ countedStart: start({ at: at + ms }) });
        const times = async (since: number) => (await store.runs.recentStarts(since)).map((one) => one.at - at);
        expect(await times(at)).toEqual([0, 10, 20]);
        expect(await times(at + 10)).toEqual([10, 20]);
        expect(await times(at + 21)).toEqual([]);
      });

      it('are not remembered of a move that came too late', async () => {
        const run = await created();
        await store.runs.move({ run }, success(run, place.clock.now()));
        expect(await store.runs.move({ run }, leaves(start()))).toBe('stale');
        const idempotency = { lineage: run.lineage, subject: '', key: 'k', fingerprint: 'f' };
        expect(await store.runs.moveOnce({ run }, leaves(start()), idempotency)).toBe('stale');
        expect(await store.runs.recentStarts(0)).toEqual([]);
      });

      it('are remembered of a move that is made once, and once', async () => {
        const run = await created();
        const idempotency = { lineage: run.lineage, subject: '', key: 'k', fingerprint: 'f' };
        const moveOnce = () => store.runs.moveOnce({ run }, leaves(start()), idempotency);
        expect(kindsOf((await Promise.all([moveOnce(), moveOnce()])) as { kind: string }[])).toEqual(['moved', 'same']);
        expect(await store.runs.recentStarts(0)).toHaveLength(1);
      });

      it('are not remembered of a request that came before', async () => {
        const idempotency = { lineage: 'key_7d2f8a', subject: '', key: 'k', fingerprint: 'f' };
        for (let i = 0; i < 3; i++) await begin({ countedStart: start() }, { idempotency });
        expect(await store.runs.recentStarts(0)).toHaveLength(1);
      });

      it('are forgotten after two minutes, once others leave', async () => {
        const first = start();
        await created({ countedStart: first });
        place.clock.advance(MINUTE_MS);
        const second = start();
        await created({ countedStart: second });
        expect(await store.runs.recentStarts(0)).toEqual([first, second]);
        place.clock.advance(MINUTE_MS + 1);
        const third = start();
        await created({ countedStart: third });
        expect(await store.runs.recentStarts(0)).toEqual([second, third]);
      });
    });

    describe('queues', () => {
      const queue = (lineage: string, provider = 'ai-tutor') => created({ ...QUEUED, lineage, provider });
      const shares = async () =>
        (await store.runs.queuedShares()).map(({ provider, lineage, runs }) => `${provider} ${lineage} ${runs}`).sort();
      const wanted = (lineage: string, runs: number, provider = 'ai-tutor') => ({ provider, lineage, runs });
      const idsOf = (runs: readonly Run[]) => runs.map(({ id }) => id);

      it('are counted by provider and lineage', async () => {
        expect(await store.runs.queuedShares()).toEqual([]);
        for (const lineage of ['key_a', 'key_b', 'key_a']) await queue(lineage);
        await queue('key_a', 'b3os');
        await created();
        expect(await shares()).toEqual(['ai-tutor key_a 2', 'ai-tutor key_b 1', 'b3os key_a 1']);
      });

      it('are counted without the runs that somebody is about to begin, or has begun', async () => {
        const begun = await queue('key_a');
        await queue('key_a');
        await queue('key_a');
        const [taken] = await store.runs.claimQueued(FIRST, [wanted('key_a', 1)]);
        expect(taken?.id).toBe(begun.id);
        expect(await shares()).toEqual(['ai-tutor key_a 2']);
        await store.runs.move({ run: begun }, success(begun, 1));
        expect(await shares()).toEqual(['ai-tutor key_a 2']);
        expect(await store.runs.countUnfinished()).toEqual({ queued: 2, total: 2 });
      });

      it('give of each share the oldest, as many as are wanted, due or not', async () => {
        const a = [await queue('key_a'), await queue('key_a'), await queue('key_a')];
        const b = [await queue('key_b'), await queue('key_b')];
        const elsewhere = await queue('key_b', 'b3os');
        const runs = await store.runs.claimQueued(FIRST, [
          wanted('key_b', 1),
          wanted('key_a', 2),
          wanted('key_c', 5),
          wanted('key_b', 3, 'b3os'),
          wanted('key_b', 0),
        ]);
        expect(idsOf(runs)).toEqual(idsOf([b[0], a[0], a[1], elsewhere] as Run[]));
        expect(runs[0]).toEqual({ ...b[0], owner: FIRST, dueAt: null });
        expect(await store.runs.peek(runs[0]?.id as Run['id'])).toEqual(runs[0]);
        expect(await shares()).toEqual(['ai-tutor key_a 1', 'ai-tutor key_b 1']);
        place.clock.advance(2 * MINUTE_MS);
        expect(idsOf(await store.runs.claimQueued(FIRST, [wanted('key_a', 9)]))).toEqual([a[2]?.id]);
      });

      it('give each run once', async () => {
        for (let i = 0; i < 5; i++) await queue('key_a');
        const claims = await Promise.all([
          store.runs.claimQueued(FIRST, [wanted('key_a', 3), wanted('key_a', 1)]),
          store.runs.claimQueued(SECOND, [wanted('key_a', 3)]),
          store.runs.claim(SECOND, 10),
        ]);
        expect(claims.map((claim) => claim.length)).toEqual([4, 1, 0]);
        expect(new Set(idsOf(claims.flat())).size).toBe(5);
      });

      it('give nothing where nothing is wanted, nor what is not queued', async () => {
        await created({ owner: null, dueInMs: 0, lineage: 'key_a' });
        await queue('key_a');
        expect(await store.runs.claimQueued(FIRST, [])).toEqual([]);
        expect(await store.runs.claimQueued(FIRST, [wanted('key_a', 0)])).toEqual([]);
        expect(await store.runs.claimQueued(FIRST, [wanted('key_a', 9)])).toHaveLength(1);
      });

      it('give the dead nothing', async () => {
        await store.runs.beat(FIRST);
        await queue('key_a');
        await store.runs.reclaim(SECOND);
        expect(await store.runs.claimQueued(FIRST, [wanted('key_a', 1)])).toEqual([]);
        expect(await store.runs.claimQueued(SECOND, [wanted('key_a', 1)])).toHaveLength(1);
      });

      it('have a run again that was claimed and given back', async () => {
        await queue('key_a');
        const [run] = await store.runs.claimQueued(FIRST, [wanted('key_a', 1)]);
        await store.runs.release(FIRST, []);
        expect(await shares()).toEqual(['ai-tutor key_a 1']);
        expect(idsOf(await store.runs.claimQueued(SECOND, [wanted('key_a', 1)]))).toEqual([run?.id]);
      });

      it('follow a run that goes to another provider', async () => {
        const run = await queue('key_a');
        const elsewhere = { status: 'queued', patch: { provider: 'b3os' }, owner: null, dueInMs: MINUTE_MS } as const;
        await store.runs.move({ run }, { ...elsewhere, events: [] });
        expect(await shares()).toEqual(['b3os key_a 1']);
        expect(await store.runs.claimQueued(FIRST, [wanted('key_a', 1)])).toEqual([]);
        expect(await store.runs.claimQueued(FIRST, [wanted('key_a', 1, 'b3os')])).toHaveLength(1);
      });
    });

    it('tells of every unfinished run what is counted, and of no other', async () => {
      const queued = await created({ ...QUEUED, lineage: 'key_b', credentialId: null });
      const owned = await created({ provider: 'b3os', credentialId: 'cred_other' });
      const waiting = await created({ status: 'waiting', owner: null, dueInMs: 5 });
      const ended = await created();
      await store.runs.move({ run: ended }, success(ended, 1));
      const told = await store.runs.unfinished();
      expect(told.toSorted((a, b) => a.id.localeCompare(b.id))).toEqual(
        [queued, owned, waiting].map(({ id, status, lineage, provider, credentialId }) => {
          return { id, status, lineage, provider, credentialId };
        }),
      );
    });
  });
}

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorBody } from '../../../src/core/errors.ts';
import type { Owner, RunId } from '../../../src/core/ids.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { IdempotencyClaim, NewRun, RunPatch } from '../../../src/runs/ports.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun, success } from './sample-run.ts';

const FIRST = 'own_first' as Owner;
const SECOND = 'own_second' as Owner;
const DAY_MS = 86_400_000;

/** What every engine, and every place of the writer, must do alike. */
export function runStoreSuite(name: string, options: Partial<StoreOptions>): void {
  describe(`a run store (${name})`, () => {
    let place: TestPlace;
    let store: Store;

    beforeEach(async () => {
      place = createTestPlace(options);
      store = await place.open();
    });
    afterEach(() => place.remove());

    function sample(overrides: Partial<NewRun> = {}): NewRun {
      return newRun(place.nextId(), place.clock.now(), overrides);
    }

    async function created(overrides: Partial<NewRun> = {}, idempotency: IdempotencyClaim | null = null): Promise<Run> {
      const result = await store.runs.create(sample(overrides), { idempotency, quota: null });
      if (result.kind !== 'created') throw new Error(`expected a created run, got ${result.kind}`);
      return result.run;
    }

    function claimOf(run: { lineage: string }, key: string, fingerprint = 'same-body'): IdempotencyClaim {
      return { lineage: run.lineage, subject: '', key, fingerprint };
    }

    async function ended(run: Run): Promise<Run> {
      const moved = await store.runs.move({ run }, success(run, place.clock.now()));
      if (moved === 'stale') throw new Error('the run could not be ended');
      return moved;
    }

    describe('creating', () => {
      it('gives back what was written, field by field', async () => {
        const run = sample({
          subject: 'user-42',
          status: 'queued',
          owner: null,
          dueInMs: 1_500,
          options: { tone: 'dry' },
          defaults: { language: 'en' },
          fallbacks: [{ provider: 'b3os', workflow: 'wf_x', when: ['upstream_unavailable'] }],
          settings: { org_id: 'o1' },
          trace: { traceparent: '00-1-2-01', tracestate: null },
          waiting: { for: 'input', hint: { field: 'x' } },
        });
        const { inputs, events: _events, dueInMs: _dueInMs, countedStart: _countedStart, ...rest } = run;
        const result = await store.runs.create(run, { idempotency: null, quota: null });
        const expected = { ...rest, version: 1, seq: 2, dueAt: place.clock.now() + 1_500 };
        expect(result).toEqual({ kind: 'created', run: expected });
        expect(await store.runs.peek(run.id)).toEqual(expected);
        expect(await store.runs.get(run.id)).toEqual({ ...expected, inputs, output: null });
      });

      it('numbers the events from 1', async () => {
        const run = await created();
        expect(await store.runs.eventsAfter(run.id, 0, 10)).toEqual([
          { seq: 1, type: 'run.created', at: run.createdAt, data: {} },
          { seq: 2, type: 'run.started', at: run.createdAt, data: {} },
        ]);
        expect((await store.runs.eventsAfter(run.id, 1, 10)).map((event) => event.seq)).toEqual([2]);
        expect(await store.runs.eventsAfter(run.id, 0, 1)).toHaveLength(1);
      });

      it('knows nothing of runs that were never written', async () => {
        const id = place.nextId();
        expect(await store.runs.get(id)).toBeNull();
        expect(await store.runs.peek(id)).toBeNull();
        expect(await store.runs.eventsAfter(id, 0, 10)).toEqual([]);
      });

      it.each([10, 8_000, 9_000, 3_000_000])('keeps payloads of %i characters whole', async (length) => {
        const inputs = { text: 'ü'.repeat(length) };
        const run = await created({ inputs });
        const output = { text: 'z'.repeat(length), data: { list: [1, null, 'ü'] }, citations: ['https://a.example'] };
        const moved = await store.runs.move({ run }, { ...success(run, 1), output });
        expect(moved).not.toBe('stale');
        expect(moved).not.toHaveProperty('inputs');
        expect(await store.runs.get(run.id)).toMatchObject({ inputs, output, status: 'succeeded' });
      });
    });

    describe('idempotency keys', () => {
      it('create one run from 200 identical requests at once', async () => {
        const results = await Promise.all(
          Array.from({ length: 200 }, () => {
            const run = sample();
            return store.runs.create(run, { idempotency: claimOf(run, 'k-1'), quota: null });
          }),
        );
        const winners = results.filter((result) => result.kind === 'created');
        expect(winners).toHaveLength(1);
        const winner = winners[0]?.run;
        expect(results.filter((result) => result.kind === 'same' && result.runId === winner?.id)).toHaveLength(199);
        expect(results.filter((result) => result.kind === 'same' && result.run?.version === 1)).toHaveLength(199);
        expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 1 });
      });

      it('answer another request with `reused`, and write nothing', async () => {
        const run = await created({}, { lineage: 'key_7d2f8a', subject: '', key: 'k', fingerprint: 'one' });
        const other = sample();
        const results = await Promise.all([
          store.runs.create(other, { idempotency: claimOf(other, 'k', 'two'), quota: null }),
          store.runs.findByKey(claimOf(run, 'k', 'two')),
        ]);
        expect(results).toEqual([{ kind: 'reused' }, { kind: 'reused' }]);
        expect(await store.runs.peek(other.id)).toBeNull();
        expect(await store.runs.eventsAfter(other.id, 0, 10)).toEqual([]);
      });

      it('are found again with the run as it is now', async () => {
        const run = await created({}, claimOf({ lineage: 'key_7d2f8a' }, 'k'));
        expect(await store.runs.findByKey(claimOf(run, 'unknown'))).toBeNull();
        const end = await ended(run);
        expect(await store.runs.findByKey(claimOf(run, 'k'))).toEqual({ kind: 'same', runId: run.id, run: end });
      });

      it('belong to a lineage and a subject', async () => {
        const results = [];
        for (const [lineage, subject] of [
          ['key_a', null],
          ['key_b', null],
          ['key_a', 'user-1'],
          ['key_a', 'user-2'],
        ] as const) {
          const idempotency = { lineage, subject: subject ?? '', key: 'k', fingerprint: 'f' };
          results.push(await store.runs.create(sample({ lineage, subject }), { idempotency, quota: null }));
        }
        expect(results.map((result) => result.kind)).toEqual(['created', 'created', 'created', 'created']);
      });

      it('are given back with the move that says so', async () => {
        const run = await created({}, claimOf({ lineage: 'key_7d2f8a' }, 'k'));
        await created({}, claimOf({ lineage: 'key_7d2f8a' }, 'other'));
        await store.runs.move({ run }, { ...success(run, 1), status: 'failed', giveBackKey: 'start' });
        expect(await store.runs.findByKey(claimOf(run, 'k'))).toBeNull();
        expect(await store.runs.findByKey(claimOf(run, 'other'))).toMatchObject({ kind: 'same' });
        await created({}, claimOf(run, 'k', 'another body'));
      });

      it('outlive a purged run for 24 hours, and are free afterwards', async () => {
        const run = await ended(await created({}, claimOf({ lineage: 'key_7d2f8a' }, 'k')));
        place.clock.advance(1_000);
        expect(await store.runs.purge(place.clock.now(), 10)).toBe(1);
        const again = sample();
        const gone = { kind: 'same', runId: run.id, run: null };
        expect(await store.runs.findByKey(claimOf(run, 'k'))).toEqual(gone);
        expect(await store.runs.create(again, { idempotency: claimOf(again, 'k'), quota: null })).toEqual(gone);
        place.clock.advance(DAY_MS);
        expect(await store.runs.findByKey(claimOf(run, 'k'))).toBeNull();
        expect(await store.runs.create(again, { idempotency: claimOf(again, 'k'), quota: null })).toMatchObject({
          kind: 'created',
        });
      });

      it('outlive 24 hours while the run goes on', async () => {
        const run = await created({}, claimOf({ lineage: 'key_7d2f8a' }, 'k'));
        place.clock.advance(2 * DAY_MS);
        await store.runs.purge(place.clock.now() - DAY_MS, 10);
        const again = sample();
        expect(await store.runs.findByKey(claimOf(run, 'k'))).toMatchObject({ kind: 'same', runId: run.id });
        expect(await store.runs.create(again, { idempotency: claimOf(again, 'k'), quota: null })).toMatchObject({
          kind: 'same',
        });
        await ended(run);
        expect(await store.runs.findByKey(claimOf(run, 'k'))).toBeNull();
        await store.runs.purge(place.clock.now() - DAY_MS, 10);
        expect(await store.runs.create(again, { idempotency: claimOf(again, 'k'), quota: null })).toMatchObject({
          kind: 'created',
        });
      });
    });

    describe('moving', () => {
      it('returns the run as it is on disk', async () => {
        const run = await created({ owner: FIRST });
        const moved = await store.runs.move(
          { run, owner: FIRST },
          {
            status: 'running',
            patch: {
              credentialId: 'cred_next',
              provider: 'backup',
              fallbacks: [],
              care: { step: 'poll', tries: 1, notFound: 0 },
            },
            events: [{ type: 'run.progress', at: 5, data: { name: 'step 1', data: null } }],
            owner: null,
            dueInMs: 250,
          },
        );
        expect(moved).toMatchObject({ version: 2, seq: 3, owner: null, dueAt: place.clock.now() + 250 });
        expect(moved).toMatchObject({ credentialId: 'cred_next', provider: 'backup' });
        expect(await store.runs.peek(run.id)).toEqual(moved);
        expect(await store.runs.eventsAfter(run.id, 2, 10)).toEqual([
          { seq: 3, type: 'run.progress', at: 5, data: { name: 'step 1', data: null } },
        ]);
      });

      it('changes every field that a patch names, and no other', async () => {
        const run = await created({ owner: FIRST });
        const error = errorBody('internal', {});
        const upstream = { ...run.upstream, runId: 'run-7', status: 'paused', pollError: error };
        const patch = {
          workflow: 'another',
          provider: 'backup',
          kind: 'b3os',
          baseUrl: 'https://api.b3os.org',
          allowPrivateNetwork: true,
          credentialId: null,
          settings: { region: 'eu' },
          upstreamWorkflow: 'wf_other',
          defaults: { tone: 'dry' },
          options: { simulate: true },
          fallbacks: [{ provider: 'ai-tutor', workflow: 'wf_abc123', when: ['upstream_unavailable'] }],
          metadata: { ticket: '4712' },
          tags: ['urgent'],
          timeoutMs: 1_000,
          waitingTimeoutMs: 2_000,
          onDisconnect: 'cancel',
          webhook: { url: 'https://app.example.com/hook', events: ['run.failed'] },
          accepted: true,
          upstream,
          error,
          waiting: { for: 'input', hint: 'who?' },
          partial: true,
          attempts: [],
          resolution: { by: 'operator' },
          trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: null },
          startedAt: 5,
          finishedAt: null,
          deadlineAt: 7,
          remainingMs: 8,
          care: { step: 'none' },
        } satisfies Required<RunPatch>;
        const rest = { status: 'waiting', events: [], owner: null, dueInMs: null } as const;
        const changed = await store.runs.move({ run, owner: FIRST }, { ...rest, patch });
        if (changed === 'stale') throw new Error('the run could not be changed');
        expect(changed).toEqual({ ...run, ...patch, status: 'waiting', version: 2, owner: null });
        const nulls = { webhook: null, error: null, waiting: null, resolution: null, trace: null, startedAt: null };
        const back = { ...nulls, remainingMs: null, accepted: false, partial: false, timeoutMs: 0 } satisfies RunPatch;
        const again = await store.runs.move({ run: changed }, { ...rest, patch: back });
        expect(again).toEqual({ ...changed, ...back, version: 3 });
        expect(await store.runs.peek(run.id)).toEqual(again);
      });

      it('lets one of many movers with the same snapshot win', async () => {
        const run = await created();
        const results = await Promise.all(
          Array.from({ length: 50 }, () => store.runs.move({ run }, success(run, place.clock.now()))),
        );
        expect(results.filter((result) => result !== 'stale')).toHaveLength(1);
        expect(await store.runs.peek(run.id)).toMatchObject({ version: 2, seq: 3 });
        expect(await store.runs.eventsAfter(run.id, 0, 100)).toHaveLength(3);
      });

      it('refuses an owner who no longer cares for the run', async () => {
        const run = await created({ owner: FIRST });
        expect(await store.runs.move({ run, owner: SECOND }, success(run, 1))).toBe('stale');
        expect(await store.runs.move({ run, owner: FIRST }, success(run, 1))).toMatchObject({ status: 'succeeded' });
        const free = await created({ owner: null, dueInMs: 0 });
        expect(await store.runs.move({ run: free, owner: FIRST }, success(free, 1))).toBe('stale');
      });

      it('never leaves an end, whatever the mover believes', async () => {
        const run = await created();
        const end = await ended(run);
        const back = { ...success(run, 1), status: 'running' as const };
        expect(await store.runs.move({ run: end }, back)).toBe('stale');
        expect(await store.runs.move({ run: { ...end, status: 'running' } }, back)).toBe('stale');
        expect(await store.runs.peek(run.id)).toEqual(end);
      });

      it('leaves nobody caring for an ended run, and gives it an end', async () => {
        const run = await created({ owner: FIRST });
        const end = await store.runs.move({ run }, { ...success(run, 1), patch: {}, owner: FIRST, dueInMs: 10 });
        expect(end).toMatchObject({ owner: null, dueAt: null, finishedAt: place.clock.now() });
      });

      it('finds no run that is not there', async () => {
        const run = await created();
        expect(await store.runs.move({ run: { ...run, id: place.nextId() } }, success(run, 1))).toBe('stale');
      });

      it('keeps no data for the four ends, and no output unless one came', async () => {
        const run = await created();
        const { output: _output, ...change } = success(run, 9);
        const events = [{ type: 'run.failed' as const, at: 9, data: { large: 'copy' } }];
        await store.runs.move({ run }, { ...change, status: 'failed', events });
        expect(await store.runs.eventsAfter(run.id, 2, 10)).toEqual([
          { seq: 3, type: 'run.failed', at: 9, data: null },
        ]);
        expect(await store.runs.get(run.id)).toMatchObject({ output: null, status: 'failed' });
      });

      it('numbers events without gaps over many moves of many runs at once', async () => {
        const runs = await Promise.all(Array.from({ length: 20 }, () => created()));
        await Promise.all(
          runs.map(async (first) => {
            let run = first;
            for (let i = 0; i < 10; i++) {
              const events = Array.from({ length: i % 3 }, () => ({
                type: 'run.progress' as const,
                at: i,
                data: { i },
              }));
              const moved = await store.runs.move(
                { run },
                { status: 'running', patch: {}, events, owner: null, dueInMs: null },
              );
              if (moved === 'stale') throw new Error('nobody else moved it');
              run = moved;
            }
            const events = await store.runs.eventsAfter(run.id, 0, 100);
            expect(events.map((event) => event.seq)).toEqual(Array.from({ length: run.seq }, (_, i) => i + 1));
            expect(run).toMatchObject({ seq: 11, version: 11 });
          }),
        );
      });

      it('does not let one bad write hurt those beside it', async () => {
        const taken = await created();
        const results = await Promise.allSettled([
          store.runs.create(sample(), { idempotency: null, quota: null }),
          store.runs.create(sample({ id: taken.id }), { idempotency: null, quota: null }),
          store.runs.create(sample({ lineage: undefined as unknown as string }), { idempotency: null, quota: null }),
          store.runs.create(sample(), { idempotency: null, quota: null }),
          store.runs.move({ run: taken }, success(taken, 1)),
        ]);
        expect(results.map((result) => result.status)).toEqual([
          'fulfilled',
          'rejected',
          'rejected',
          'fulfilled',
          'fulfilled',
        ]);
        expect(results[1]).toMatchObject({ reason: { code: 'internal' } });
        expect(results[2]).toMatchObject({ reason: { code: 'internal' } });
        expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 2 });
      });
    });

    describe('owners', () => {
      it('claim what is due and free, oldest first, and each run once', async () => {
        const late = await created({ owner: null, dueInMs: 200 });
        const early = await created({ owner: null, dueInMs: 100 });
        await created({ owner: FIRST, dueInMs: null });
        await created({ owner: null, dueInMs: 10_000 });
        expect(await store.runs.claim(SECOND, 10)).toEqual([]);
        place.clock.advance(500);
        const claims = await Promise.all([store.runs.claim(SECOND, 10), store.runs.claim(FIRST, 10)]);
        expect(claims[0]?.map((run) => run.id)).toEqual([early.id, late.id]);
        expect(claims[1]).toEqual([]);
        expect(claims[0]?.[0]).toEqual({ ...early, owner: SECOND, dueAt: null });
        expect(await store.runs.peek(early.id)).toEqual(claims[0]?.[0]);
      });

      it('claim a queued run only once its time is up', async () => {
        const run = await created({ owner: null, status: 'queued', dueInMs: 1_000 });
        expect(await store.runs.claim(FIRST, 10)).toEqual([]);
        place.clock.advance(1_000);
        expect((await store.runs.claim(FIRST, 10)).map(({ id }) => id)).toEqual([run.id]);
        expect(await store.runs.claim(FIRST, 10)).toEqual([]);
      });

      it('claim no more than they ask for, and never an ended run', async () => {
        const run = await created({ owner: null, dueInMs: 0 });
        await ended(run);
        await Promise.all(Array.from({ length: 5 }, () => created({ owner: null, dueInMs: 0 })));
        expect(await store.runs.claim(FIRST, 0)).toEqual([]);
        expect(await store.runs.claim(FIRST, 3)).toHaveLength(3);
        expect(await store.runs.claim(FIRST, 3)).toHaveLength(2);
        expect(await store.runs.claim(FIRST, 3)).toHaveLength(0);
      });

      it('claim of a provider what it has room for, and pass over the rest', async () => {
        const runs: Run[] = [];
        for (const provider of ['a', 'a', 'b', 'a', 'c', 'b', 'd', 'b', 'd']) {
          runs.push(await created({ provider, owner: null, dueInMs: 0 }));
          place.clock.advance(1);
        }
        const share = { inFlight: new Map(Object.entries({ a: 1, c: 2, e: 7 })), max: 2 };
        const claimed = async (limit: number) =>
          (await store.runs.claim(FIRST, limit, share)).map(({ id }) => runs.findIndex((run) => run.id === id));
        expect(await claimed(5)).toEqual([0, 2, 5, 6, 8]);
        const full = { inFlight: new Map(Object.entries({ a: 2, b: 2, c: 2 })), max: 2 };
        expect(await store.runs.claim(FIRST, 10, full)).toEqual([]);
        expect(await store.runs.claim(FIRST, 10, { inFlight: new Map(), max: 0 })).toEqual([]);
        expect(await store.runs.claim(FIRST, 10)).toHaveLength(4);
      });

      it('take over what the dead had, who learn of it and cannot move it any more', async () => {
        expect(await store.runs.beat(FIRST)).toBe('held');
        const run = await created({ owner: FIRST });
        const own = await created({ owner: SECOND });
        expect(await store.runs.lastBeatAt()).toBe(place.clock.now());
        place.clock.advance(1_000);
        expect(await store.runs.reclaim(SECOND)).toBe(1);
        expect(await store.runs.beat(FIRST)).toBe('lost');
        // The clock of the dead says nothing any more.
        expect(await store.runs.lastBeatAt()).toBeNull();
        expect(await store.runs.beat(SECOND)).toBe('held');
        expect(await store.runs.beat(SECOND)).toBe('held');
        expect(await store.runs.move({ run, owner: FIRST }, success(run, 1))).toBe('stale');
        expect(await store.runs.claim(FIRST, 10)).toEqual([]);
        expect((await store.runs.claim(SECOND, 10)).map((claimed) => claimed.id)).toEqual([run.id]);
        expect(await store.runs.peek(own.id)).toMatchObject({ owner: SECOND });
      });

      it('give back what they have but for exceptions', async () => {
        const runs = await Promise.all(Array.from({ length: 4 }, () => created({ owner: FIRST })));
        const foreign = await created({ owner: SECOND });
        await store.runs.release(FIRST, [runs[1]?.id as RunId, runs[3]?.id as RunId]);
        const owners = await Promise.all(runs.map(async (run) => (await store.runs.peek(run.id))?.owner));
        expect(owners).toEqual([null, FIRST, null, FIRST]);
        expect(await store.runs.peek(foreign.id)).toMatchObject({ owner: SECOND });
        expect(await store.runs.claim(SECOND, 10)).toHaveLength(2);
      });
    });

    describe('listing', () => {
      it('pages newest first, without gaps or repeats', async () => {
        const runs = [];
        for (let i = 0; i < 25; i++) runs.push(await created());
        const seen: string[] = [];
        let before: RunId | null = null;
        do {
          const page = await store.runs.list({ lineage: 'key_7d2f8a' }, { limit: 10, before });
          seen.push(...page.runs.map((run) => run.id));
          before = page.next;
        } while (before !== null);
        expect(seen).toEqual(runs.map((run) => run.id).toReversed());
      });

      it('shows each caller its own runs, and all to who asks for all', async () => {
        const mine = await created({ lineage: 'key_a' });
        const users = await created({ lineage: 'key_a', subject: 'user-1' });
        const other = await created({ lineage: 'key_b' });
        const page = { limit: 10, before: null };
        const ids = async (filter: Parameters<Store['runs']['list']>[0]) =>
          (await store.runs.list(filter, page)).runs.map((run) => run.id);
        expect(await ids({ lineage: 'key_a' })).toEqual([users.id, mine.id]);
        expect(await ids({ lineage: 'key_a', subject: 'user-1' })).toEqual([users.id]);
        expect(await ids({ lineage: 'key_c' })).toEqual([]);
        expect(await ids({ lineage: null })).toEqual([other.id, users.id, mine.id]);
        expect((await store.runs.list({ lineage: null }, page)).next).toBeNull();
      });

      it('filters by status, provider and workflow', async () => {
        const running = await created({ workflow: 'a', provider: 'b3os' });
        const end = await ended(await created({ workflow: 'b' }));
        const page = { limit: 10, before: null };
        const ids = async (filter: object) =>
          (await store.runs.list({ lineage: null, ...filter }, page)).runs.map((run) => run.id);
        expect(await ids({ status: ['running', 'queued'] })).toEqual([running.id]);
        expect(await ids({ status: ['succeeded'] })).toEqual([end.id]);
        expect(await ids({ provider: 'b3os' })).toEqual([running.id]);
        expect(await ids({ workflow: 'b', provider: 'b3os' })).toEqual([]);
      });

      it('looks at a bounded number of rows and says where to go on', async () => {
        const first = await created({ workflow: 'rare' });
        await Promise.all(Array.from({ length: 1_500 }, () => created()));
        const filter = { lineage: null, workflow: 'rare' };
        const short = await store.runs.list(filter, { limit: 10, before: null });
        expect(short.runs).toEqual([]);
        expect(short.next).not.toBeNull();
        const rest = await store.runs.list(filter, { limit: 10, before: short.next });
        expect(rest.runs.map((run) => run.id)).toEqual([first.id]);
        expect(rest.next).toBeNull();
      });
    });

    describe('purging', () => {
      it('deletes ended runs with all that belongs to them, and nothing else', async () => {
        const inputs = { text: 'x'.repeat(20_000) };
        const old = await ended(await created({ inputs }));
        const going = await created({ inputs });
        place.clock.advance(10_000);
        const fresh = await ended(await created());
        const endedLate = await ended(await created({ createdAt: old.createdAt }));
        expect(await store.runs.purge(place.clock.now() - 5_000, 10)).toBe(1);
        expect(await store.runs.get(old.id)).toBeNull();
        expect(await store.runs.eventsAfter(old.id, 0, 10)).toEqual([]);
        expect(await store.runs.get(going.id)).toMatchObject({ inputs });
        expect(await store.runs.peek(fresh.id)).not.toBeNull();
        expect(await store.runs.peek(endedLate.id)).not.toBeNull();
        expect(await store.runs.purge(place.clock.now() - 5_000, 10)).toBe(0);
      });

      it('goes on where it stopped, past runs that never end', async () => {
        for (let i = 0; i < 3; i++) await created();
        const runs = await Promise.all(Array.from({ length: 25 }, () => created()));
        await Promise.all(runs.map(ended));
        place.clock.advance(10);
        const counts = [];
        for (let i = 0; i < 4; i++) counts.push(await store.runs.purge(place.clock.now(), 10));
        expect(counts).toEqual([10, 10, 5, 0]);
        expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 3 });
      });
    });

    describe('watching', () => {
      it('hints at each written run until it is told to stop', async () => {
        const hints: (RunId | null)[] = [];
        const stop = new AbortController();
        store.runs.watch((id) => hints.push(id), stop.signal);
        const run = await created();
        await ended(run);
        expect(hints).toEqual([run.id, run.id]);
        stop.abort();
        await created();
        expect(hints).toHaveLength(2);
      });
    });

    it('counts what has not ended', async () => {
      await created({ status: 'queued', owner: null, dueInMs: 0 });
      await created({ status: 'waiting' });
      await ended(await created());
      expect(await store.runs.countUnfinished()).toEqual({ queued: 1, total: 2 });
    });

    it('refuses beyond its queue, and takes more when there is room', async () => {
      const small = createTestPlace({ ...options, limits: { queueOperationsMax: 10 } });
      const bounded = await small.open();
      const write = () => bounded.runs.create(newRun(small.nextId(), 1), { idempotency: null, quota: null });
      const results = await Promise.allSettled(Array.from({ length: 15 }, write));
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(10);
      expect(results[14]).toMatchObject({ reason: { code: 'store_unavailable' } });
      expect(await write()).toMatchObject({ kind: 'created' });
      await small.remove();
    });

    it('writes what was asked before it closed, and refuses afterwards', async () => {
      const runs = Array.from({ length: 100 }, () => sample());
      const writes = runs.map((run) => store.runs.create(run, { idempotency: null, quota: null }));
      await store.close();
      expect((await Promise.all(writes)).every((result) => result.kind === 'created')).toBe(true);
      await expect(store.runs.create(sample(), { idempotency: null, quota: null })).rejects.toMatchObject({
        code: 'store_unavailable',
      });
      await expect(store.runs.peek(runs[0]?.id as RunId)).rejects.toMatchObject({ code: 'store_unavailable' });
    });
  });
}

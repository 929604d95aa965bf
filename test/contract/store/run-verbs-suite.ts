import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Owner } from '../../../src/core/ids.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { Change, IdempotencyClaim, NewRun, RunFilter } from '../../../src/runs/ports.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun, success } from './sample-run.ts';

const LINEAGE = 'key_7d2f8a';
const DAY_MS = 86_400_000;

/** What every engine does alike for resumes, deletions, resolutions and filters. */
export function runVerbsSuite(name: string, options: Partial<StoreOptions>): void {
  describe(`the verbs of a run store (${name})`, () => {
    let place: TestPlace;
    let store: Store;

    beforeEach(async () => {
      place = createTestPlace(options);
      store = await place.open();
    });
    afterEach(() => place.remove());

    async function created(overrides: Partial<NewRun> = {}, idempotency: IdempotencyClaim | null = null): Promise<Run> {
      const result = await store.runs.create(newRun(place.nextId(), place.clock.now(), overrides), {
        idempotency,
        quota: null,
      });
      if (result.kind !== 'created') throw new Error(`expected a created run, got ${result.kind}`);
      return result.run;
    }

    async function waitingRun(overrides: Partial<NewRun> = {}, idempotency: IdempotencyClaim | null = null) {
      return created({ status: 'waiting', owner: null, dueInMs: 60_000, ...overrides }, idempotency);
    }

    async function ended(run: Run): Promise<Run> {
      const moved = await store.runs.move({ run }, success(run, place.clock.now()));
      if (moved === 'stale') throw new Error('the run could not be ended');
      return moved;
    }

    const claimOf = (key: string, more: Partial<IdempotencyClaim> = {}): IdempotencyClaim => {
      return { lineage: LINEAGE, subject: '', key, fingerprint: 'resume', ...more };
    };

    const resumed = (): Change => ({
      status: 'running',
      patch: { waiting: null },
      events: [{ type: 'run.resumed', at: place.clock.now(), data: {} }],
      owner: 'own_first' as Owner,
      dueInMs: null,
    });

    const waitsAgain = (key: string, subject = ''): Change => ({
      ...resumed(),
      status: 'waiting',
      owner: null,
      dueInMs: 0,
      giveBackKey: { resume: { lineage: LINEAGE, subject, key } },
    });

    describe('moving once', () => {
      it('moves the run and takes the key in one commit', async () => {
        const run = await waitingRun();
        const result = await store.runs.moveOnce({ run }, resumed(), claimOf('k'));
        const now = await store.runs.peek(run.id);
        expect(now).toMatchObject({ status: 'running', version: 2, seq: 3 });
        expect(result).toEqual({ kind: 'moved', run: now });
        expect(await store.runs.findByKey(claimOf('k'))).toEqual({ kind: 'same', runId: run.id, run: now });
        expect((await store.runs.eventsAfter(run.id, 2, 10)).map(({ type }) => type)).toEqual(['run.resumed']);
      });

      it('lets one of many copies move the run, and tells the others which', async () => {
        const run = await waitingRun();
        const copies = Array.from({ length: 50 }, () => store.runs.moveOnce({ run }, resumed(), claimOf('k')));
        const results = await Promise.all(copies);
        expect(results.filter((result) => result !== 'stale' && result.kind === 'moved')).toHaveLength(1);
        expect(results.filter((result) => result !== 'stale' && result.kind === 'same')).toHaveLength(49);
        expect(await store.runs.peek(run.id)).toMatchObject({ version: 2 });
      });

      it('moves nothing where the key was used: the same request hears of its run, another is refused', async () => {
        const first = await waitingRun();
        const second = await waitingRun();
        await store.runs.moveOnce({ run: first }, resumed(), claimOf('k'));
        const other = claimOf('k', { fingerprint: 'another body' });
        expect(await store.runs.moveOnce({ run: second }, resumed(), other)).toEqual({ kind: 'reused' });
        const same = await store.runs.moveOnce({ run: second }, resumed(), claimOf('k'));
        expect(same).toMatchObject({ kind: 'same', runId: first.id, run: { status: 'running' } });
        expect(await store.runs.peek(second.id)).toEqual(second);
      });

      it('takes no key where the run has changed', async () => {
        const run = await waitingRun();
        await store.runs.move({ run }, { ...resumed(), status: 'waiting' });
        expect(await store.runs.moveOnce({ run }, resumed(), claimOf('k'))).toBe('stale');
        expect(await store.runs.findByKey(claimOf('k'))).toBeNull();
        const end = await ended((await store.runs.peek(run.id)) as Run);
        expect(await store.runs.moveOnce({ run: end }, resumed(), claimOf('k'))).toBe('stale');
        expect(await store.runs.findByKey(claimOf('k'))).toBeNull();
      });

      it('leaves a served key as it was where the run has changed', async () => {
        const old = await created({}, claimOf('k', { fingerprint: 'old' }));
        await ended(old);
        const run = await waitingRun();
        await store.runs.move({ run }, { ...resumed(), status: 'waiting' });
        place.clock.advance(2 * DAY_MS);
        expect(await store.runs.moveOnce({ run }, resumed(), claimOf('k'))).toBe('stale');
        place.clock.advance(-2 * DAY_MS);
        expect(await store.runs.findByKey(claimOf('k', { fingerprint: 'old' }))).toMatchObject({ runId: old.id });
      });

      it('does not hurt the writes beside it', async () => {
        const run = await waitingRun();
        const beside = await waitingRun();
        const results = await Promise.all([
          store.runs.moveOnce({ run: beside }, resumed(), claimOf('a')),
          store.runs.moveOnce({ run: { ...run, version: 9 } }, resumed(), claimOf('b')),
          store.runs.move({ run }, resumed()),
        ]);
        expect(results).toMatchObject([{ kind: 'moved' }, 'stale', { status: 'running' }]);
        expect(await store.runs.findByKey(claimOf('a'))).toMatchObject({ kind: 'same' });
        expect(await store.runs.findByKey(claimOf('b'))).toBeNull();
      });
    });

    describe('giving back the key of a resume', () => {
      it('frees that key alone', async () => {
        const run = await waitingRun({}, claimOf('start', { fingerprint: 'start' }));
        const moved = await store.runs.moveOnce({ run }, resumed(), claimOf('k'));
        if (moved === 'stale' || moved.kind !== 'moved') throw new Error('the run must move');
        await store.runs.move({ run: moved.run }, waitsAgain('k'));
        expect(await store.runs.findByKey(claimOf('k'))).toBeNull();
        expect(await store.runs.findByKey(claimOf('start', { fingerprint: 'start' }))).toMatchObject({ kind: 'same' });
      });

      it('never frees a start, even where another subject named its key alike', async () => {
        const start = claimOf('k', { subject: 'user-1', fingerprint: 'start' });
        const run = await waitingRun({ subject: 'user-1' }, start);
        // The key itself, which has no subject, resumes what its token's user has started.
        const moved = await store.runs.moveOnce({ run }, resumed(), claimOf('k'));
        if (moved === 'stale' || moved.kind !== 'moved') throw new Error('the run must move');
        await store.runs.move({ run: moved.run }, waitsAgain('k'));
        expect(await store.runs.findByKey(claimOf('k'))).toBeNull();
        expect(await store.runs.findByKey(start)).toMatchObject({ kind: 'same', runId: run.id });
      });

      it('leaves that of another who has resumed the run before, and named it alike', async () => {
        const run = await waitingRun({ subject: 'user-1' });
        const first = claimOf('k', { subject: 'user-1' });
        const moved = await store.runs.moveOnce({ run }, resumed(), first);
        if (moved === 'stale' || moved.kind !== 'moved') throw new Error('the run must move');
        const { giveBackKey: _, ...waits } = waitsAgain('k');
        const waiting = await store.runs.move({ run: moved.run }, waits);
        if (waiting === 'stale') throw new Error('the run must move');
        const again = await store.runs.moveOnce({ run: waiting }, resumed(), claimOf('k'));
        if (again === 'stale' || again.kind !== 'moved') throw new Error('the run must move');
        await store.runs.move({ run: again.run }, waitsAgain('k'));
        expect(await store.runs.findByKey(claimOf('k'))).toBeNull();
        expect(await store.runs.findByKey(first)).toMatchObject({ kind: 'same', runId: run.id });
        await store.runs.giveBackResumeKey(run.id, { lineage: LINEAGE, subject: '', key: 'k' });
        expect(await store.runs.findByKey(first)).toMatchObject({ kind: 'same', runId: run.id });
      });

      it('frees the key of the run’s own subject, and none of another run', async () => {
        const run = await waitingRun({ subject: 'user-1' });
        const own = claimOf('k', { subject: 'user-1' });
        const moved = await store.runs.moveOnce({ run }, resumed(), own);
        if (moved === 'stale' || moved.kind !== 'moved') throw new Error('the run must move');
        const other = await waitingRun();
        await store.runs.moveOnce({ run: other }, resumed(), claimOf('k'));
        await store.runs.move({ run: moved.run }, waitsAgain('k', 'user-1'));
        expect(await store.runs.findByKey(own)).toBeNull();
        expect(await store.runs.findByKey(claimOf('k'))).toMatchObject({ kind: 'same', runId: other.id });
      });
    });

    describe('removing', () => {
      it('deletes an ended run with all that belongs to it', async () => {
        const inputs = { text: 'x'.repeat(20_000) };
        const run = await ended(await created({ inputs }));
        const other = await ended(await created({ inputs }));
        expect(await store.runs.remove(run.id)).toBe('removed');
        expect(await store.runs.get(run.id)).toBeNull();
        expect(await store.runs.eventsAfter(run.id, 0, 10)).toEqual([]);
        expect(await store.runs.remove(run.id)).toBe('unknown');
        expect(await store.runs.get(other.id)).toMatchObject({ inputs });
      });

      it('leaves a run that has not ended as it is', async () => {
        const run = await created();
        expect(await store.runs.remove(run.id)).toBe('not_ended');
        expect(await store.runs.peek(run.id)).toEqual(run);
        expect(await store.runs.eventsAfter(run.id, 0, 10)).toHaveLength(2);
      });

      it('leaves the keys until they have served', async () => {
        const run = await ended(await created({}, claimOf('k')));
        await store.runs.remove(run.id);
        const gone = { kind: 'same', runId: run.id, run: null };
        expect(await store.runs.findByKey(claimOf('k'))).toEqual(gone);
        const again = newRun(place.nextId(), place.clock.now());
        expect(await store.runs.create(again, { idempotency: claimOf('k'), quota: null })).toEqual(gone);
        place.clock.advance(DAY_MS + 1);
        expect(await store.runs.create(again, { idempotency: claimOf('k'), quota: null })).toMatchObject({
          kind: 'created',
        });
      });
    });

    describe('resolving', () => {
      it('records what was found out, and leaves the rest of the run as it is', async () => {
        const run = await ended(await created());
        const resolution = { as: 'succeeded', note: 'seen “in” the\u0000 vendor’s log', at: 'now', by: 'command line' };
        const resolved = await store.runs.resolve(run.id, resolution);
        expect(resolved).toEqual({ ...run, version: run.version + 1, resolution });
        expect(await store.runs.peek(run.id)).toEqual(resolved);
        expect(await store.runs.eventsAfter(run.id, 0, 10)).toHaveLength(3);
        expect(await store.runs.resolve(run.id, { as: 'failed' })).toMatchObject({ resolution: { as: 'failed' } });
      });

      it('knows only ended runs', async () => {
        const run = await created();
        expect(await store.runs.resolve(run.id, { as: 'failed' })).toBeNull();
        expect(await store.runs.peek(run.id)).toEqual(run);
        expect(await store.runs.resolve(place.nextId(), { as: 'failed' })).toBeNull();
      });
    });

    describe('filtering', () => {
      const found = async (filter: Partial<RunFilter>) => {
        const page = await store.runs.list({ lineage: null, ...filter }, { limit: 100, before: null });
        return page.runs.map((run) => run.id);
      };

      it('finds runs by a tag, whole and exact', async () => {
        const one = await created({ tags: ['a', 'b"c'] });
        const two = await created({ tags: ['ab'], metadata: { a: 'b"c' } });
        expect(await found({ tag: 'a' })).toEqual([one.id]);
        expect(await found({ tag: 'b"c' })).toEqual([one.id]);
        expect(await found({ tag: 'ab' })).toEqual([two.id]);
        expect(await found({ tag: 'support' })).toEqual([]);
      });

      it('is not led astray by what else is written of a run that has no tags and no metadata', async () => {
        await created({ tags: [], metadata: {} });
        expect(await found({ tag: 'ai-tutor' })).toEqual([]);
        expect(await found({ metadata: { kind: 'ai-tutor' } })).toEqual([]);
      });

      it('finds runs by metadata, every pair of it', async () => {
        const one = await created({ metadata: { user: '1', plan: 'free' } });
        const two = await created({ metadata: { user: '1', plan: 'user' } });
        expect(await found({ metadata: { user: '1' } })).toEqual([two.id, one.id]);
        expect(await found({ metadata: { user: '1', plan: 'free' } })).toEqual([one.id]);
        expect(await found({ metadata: { plan: '1' } })).toEqual([]);
        expect(await found({ metadata: { toString: 'free' } })).toEqual([]);
      });

      it('finds runs by when they were created, both ends included', async () => {
        const ids = [];
        const start = place.clock.now();
        for (let i = 0; i < 5; i++) {
          ids.push((await created()).id);
          place.clock.advance(1_000);
        }
        expect(await found({ createdAfter: start + 1_000, createdBefore: start + 3_000 })).toEqual(
          ids.slice(1, 4).toReversed(),
        );
        expect(await found({ createdAfter: start + 3_001 })).toEqual(ids.slice(4));
        expect(await found({ createdBefore: start })).toEqual(ids.slice(0, 1));
        expect(await found({ createdAfter: start + 2_000, createdBefore: start + 1_000 })).toEqual([]);
      });

      it('pages without gaps or repeats through what a filter leaves', async () => {
        const ids: string[] = [];
        const begin = place.clock.now();
        for (let i = 0; i < 30; i++) {
          const run = await created({ tags: i % 3 === 0 ? ['third'] : [] });
          if (i % 3 === 0) ids.push(run.id);
          place.clock.advance(100);
        }
        const seen: string[] = [];
        let before = null;
        do {
          const filter = { lineage: LINEAGE, tag: 'third', createdAfter: begin + 1 };
          const page = await store.runs.list(filter, { limit: 2, before });
          seen.push(...page.runs.map((run) => run.id));
          before = page.next;
        } while (before !== null);
        expect(seen).toEqual(ids.slice(1).toReversed());
      });
    });
  });
}

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Owner } from '../../../src/core/ids.ts';
import type { NewEvent, Run } from '../../../src/runs/model.ts';
import type { Change, NewRun } from '../../../src/runs/ports.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun, success } from './sample-run.ts';

const FIRST = 'own_first' as Owner;
const SECOND = 'own_second' as Owner;

const delta = (text: string): NewEvent => ({ type: 'run.output.delta', at: 7, data: { text } });

/** What every engine does alike for the output of runs that go on, and for what vendors tell of them. */
export function liveRunsSuite(name: string, options: Partial<StoreOptions>): void {
  describe(`runs that go on (${name})`, () => {
    let place: TestPlace;
    let store: Store;

    beforeEach(async () => {
      place = createTestPlace(options);
      store = await place.open();
    });
    afterEach(() => place.remove());

    async function created(overrides: Partial<NewRun> = {}): Promise<Run> {
      const run = newRun(place.nextId(), place.clock.now(), overrides);
      const result = await store.runs.create(run, { idempotency: null, quota: null });
      if (result.kind !== 'created') throw new Error(`expected a created run, got ${result.kind}`);
      return result.run;
    }

    async function moved(run: Run, change: Partial<Change> = {}): Promise<Run> {
      const result = await store.runs.move({ run }, progress(change));
      if (result === 'stale') throw new Error('nobody else moves this run');
      return result;
    }

    const progress = (change: Partial<Change> = {}): Change => ({
      status: 'running',
      patch: {},
      events: [{ type: 'run.progress', at: 8, data: { name: 'step', data: null } }],
      owner: FIRST,
      dueInMs: null,
      ...change,
    });

    async function logOf(run: Run): Promise<{ seq: number; type: string }[]> {
      const events = await store.runs.eventsAfter(run.id, 0, 100_000);
      return events.map(({ seq, type }) => ({ seq, type: type.replace('run.', '') }));
    }

    describe('appending', () => {
      it('reads no more events at once than hold so many characters, and misses none', async () => {
        const run = await created();
        await store.runs.append(
          run.id,
          FIRST,
          Array.from({ length: 50 }, (_, i) => delta(`${i} ${'x'.repeat(1_000)}`)),
        );
        const seen: number[] = [];
        for (let page; page === undefined || page.length > 0;) {
          page = await store.runs.eventsAfter(run.id, seen.at(-1) ?? 0, 100, 5_000);
          expect(page.length).toBeLessThanOrEqual(7);
          seen.push(...page.map(({ seq }) => seq));
        }
        expect(seen).toEqual(Array.from({ length: 52 }, (_, i) => i + 1));
      });

      it('adds events behind the last, and leaves the run as it is', async () => {
        const run = await created();
        expect(await store.runs.append(run.id, FIRST, [delta('Once'), delta(' upon')])).toBe(4);
        expect(await store.runs.append(run.id, FIRST, [delta(' a time')])).toBe(5);
        expect(await store.runs.peek(run.id)).toEqual({ ...run, seq: 5 });
        expect(await store.runs.eventsAfter(run.id, 2, 10)).toEqual([
          { seq: 3, ...delta('Once') },
          { seq: 4, ...delta(' upon') },
          { seq: 5, ...delta(' a time') },
        ]);
      });

      it('keeps a delta of three million characters whole, and an odd one byte for byte', async () => {
        const run = await created();
        const events = [delta('ü'.repeat(3_000_000)), delta('\u0000\ud800"\\\n')];
        await store.runs.append(run.id, FIRST, events);
        const read = await store.runs.eventsAfter(run.id, 2, 10);
        expect(read.map(({ type, at, data }) => ({ type, at, data }))).toEqual(events);
      });

      it('is refused to whoever does not care for the run', async () => {
        const run = await created({ owner: FIRST });
        const free = await created({ owner: null, dueInMs: 0 });
        expect(await store.runs.append(run.id, SECOND, [delta('x')])).toBe('stale');
        expect(await store.runs.append(free.id, FIRST, [delta('x')])).toBe('stale');
        expect(await store.runs.append(place.nextId(), FIRST, [delta('x')])).toBe('stale');
        expect(await logOf(run)).toHaveLength(2);
        expect(await logOf(free)).toHaveLength(2);
      });

      it('is refused after the end', async () => {
        const run = await created();
        await store.runs.move({ run }, success(run, 9));
        expect(await store.runs.append(run.id, FIRST, [delta('late')])).toBe('stale');
        expect((await logOf(run)).map(({ type }) => type)).toEqual(['created', 'started', 'succeeded']);
      });

      it('is refused once another process has taken the run over', async () => {
        const run = await created();
        await store.runs.reclaim(SECOND);
        await store.runs.claim(SECOND, 10);
        expect(await store.runs.append(run.id, FIRST, [delta('late')])).toBe('stale');
        expect(await store.runs.append(run.id, SECOND, [delta('in time')])).toBe(3);
      });

      it('makes a move that was decided before it stale, and the other way round waits its turn', async () => {
        const run = await created();
        const [appended, late] = await Promise.all([
          store.runs.append(run.id, FIRST, [delta('one')]),
          store.runs.move({ run, owner: FIRST }, progress()),
        ]);
        expect([appended, late]).toEqual([3, 'stale']);
        const now = (await store.runs.peek(run.id)) as Run;
        const [early, behind] = await Promise.all([
          store.runs.move({ run: now, owner: FIRST }, progress()),
          store.runs.append(run.id, FIRST, [delta('two')]),
        ]);
        expect(early).toMatchObject({ seq: 4, version: 2 });
        expect(behind).toBe(5);
        const types = (await logOf(run)).map(({ type }) => type);
        expect(types).toEqual(['created', 'started', 'output.delta', 'progress', 'output.delta']);
      });

      it('numbers without gaps or repeats while moves and appends race', async () => {
        const run = await created();
        const numbers: number[] = [];
        const appends = async () => {
          for (let i = 0; i < 50; i++) {
            const last = await store.runs.append(run.id, FIRST, [delta(`${i}`), delta('')]);
            if (last === 'stale') throw new Error('the run goes on');
            numbers.push(last - 1, last);
          }
        };
        const moves = async () => {
          for (let done = 0; done < 20;) {
            const now = (await store.runs.peek(run.id)) as Run;
            const result = await store.runs.move({ run: now, owner: FIRST }, progress());
            if (result === 'stale') continue;
            numbers.push(result.seq);
            done++;
          }
        };
        await Promise.all([appends(), appends(), moves()]);
        const all = Array.from({ length: 222 }, (_, i) => i + 1);
        expect([1, 2, ...numbers].toSorted((a, b) => a - b)).toEqual(all);
        expect((await logOf(run)).map(({ seq }) => seq)).toEqual(all);
        expect(await store.runs.peek(run.id)).toMatchObject({ seq: 222, version: 21 });
      });

      it('shows no event before those that come before it, while moves and appends race', async () => {
        const read: number[] = [];
        for (let i = 0; i < 30; i++) {
          const run = await created();
          const moving = store.runs.move({ run, owner: FIRST }, progress());
          const appending = store.runs.append(run.id, FIRST, [delta('later')]);
          for (let j = 0; j < 20; j++) {
            const page = await store.runs.eventsAfter(run.id, 0, 10);
            expect(page.map(({ seq }) => seq)).toEqual(page.map((_, at) => at + 1));
            read.push(page.length);
            await new Promise((resolve) => setImmediate(resolve));
          }
          await Promise.all([moving, appending]);
          expect(await logOf(run)).toHaveLength(4);
        }
        expect(read.some((length) => length > 2)).toBe(true);
      });

      it('pages 10,000 events in order together with those of moves', async () => {
        let run = await created();
        const written = ['created', 'started'];
        for (let i = 0; i < 100; i++) {
          const last = await store.runs.append(
            run.id,
            FIRST,
            Array.from({ length: 100 }, (_, j) => delta(`${i}.${j}`)),
          );
          written.push(...Array.from({ length: 100 }, () => 'output.delta'));
          if (i % 10 > 0) continue;
          run = await moved({ ...run, seq: Number(last) });
          written.push('progress');
        }
        const seen: string[] = [];
        for (let after = 0; ;) {
          const page = await store.runs.eventsAfter(run.id, after, 777);
          expect(page.map(({ seq }) => seq)).toEqual(page.map((_, i) => after + i + 1));
          seen.push(...page.map(({ type }) => type.replace('run.', '')));
          after += page.length;
          if (page.length < 777) break;
        }
        expect(seen).toEqual(written);
      });

      it('hints at the run', async () => {
        const run = await created();
        const hints: unknown[] = [];
        const stop = new AbortController();
        store.runs.watch((id) => hints.push(id), stop.signal);
        await store.runs.append(run.id, FIRST, [delta('x')]);
        await store.runs.append(run.id, SECOND, [delta('x')]);
        expect(hints).toEqual([run.id]);
        stop.abort();
      });
    });

    describe('finding by the vendor’s name', () => {
      const named = (run: Run, runId: string) => moved(run, { patch: { upstream: { ...run.upstream, runId } } });

      it('finds the unfinished run that this provider calls so', async () => {
        const run = await named(await created(), 'vendor-1');
        await named(await created({ provider: 'b3os' }), 'vendor-1');
        await named(await created(), 'vendor-2');
        expect(await store.runs.findByVendorRun('ai-tutor', 'vendor-1')).toEqual(run);
        expect(await store.runs.findByVendorRun('ai-tutor', 'vendor-3')).toBeNull();
        expect(await store.runs.findByVendorRun('interactly', 'vendor-1')).toBeNull();
      });

      it('finds a run that was named when it was created, and by its new name once it has one', async () => {
        const upstream = { ...(await created()).upstream, runId: 'ours' };
        const run = await created({ upstream });
        expect(await store.runs.findByVendorRun('ai-tutor', 'ours')).toEqual(run);
        const renamed = await named(run, 'theirs');
        expect(await store.runs.findByVendorRun('ai-tutor', 'ours')).toBeNull();
        expect(await store.runs.findByVendorRun('ai-tutor', 'theirs')).toEqual(renamed);
      });

      it('finds no run that has ended', async () => {
        const run = await named(await created(), 'vendor-1');
        const end = await store.runs.move({ run }, success(run, 9));
        expect(end).toMatchObject({ upstream: { runId: 'vendor-1' } });
        expect(await store.runs.findByVendorRun('ai-tutor', 'vendor-1')).toBeNull();
        expect(await store.runs.peek(run.id)).toMatchObject({ upstream: { runId: 'vendor-1' } });
      });
    });

    describe('hurrying', () => {
      it('makes a run that nobody owns due now, once', async () => {
        const run = await created({ owner: null, dueInMs: 15_000 });
        expect(await store.runs.claim(FIRST, 10)).toEqual([]);
        expect(await store.runs.hurry(run.id)).toBe(true);
        expect(await store.runs.hurry(run.id)).toBe(false);
        expect(await store.runs.peek(run.id)).toEqual({ ...run, dueAt: place.clock.now() });
        expect((await store.runs.claim(FIRST, 10)).map(({ id }) => id)).toEqual([run.id]);
      });

      it('leaves alone what is cared for, what is due for nothing, and what has ended', async () => {
        const owned = await created();
        const idle = await created({ owner: null, dueInMs: null });
        const run = await created({ owner: null, dueInMs: 15_000 });
        await store.runs.move({ run }, success(run, 9));
        for (const { id } of [owned, idle, run]) {
          const before = await store.runs.peek(id);
          expect(await store.runs.hurry(id)).toBe(false);
          expect(await store.runs.peek(id)).toEqual(before);
        }
        expect(await store.runs.hurry(place.nextId())).toBe(false);
      });

      it('makes what was written by a clock ahead due so much sooner, what waits for its deadline apart', async () => {
        const now = place.clock.now();
        const soon = await created({ owner: null, dueInMs: 15_000 });
        const later = await created({ owner: null, dueInMs: 75_000 });
        const untouched = [
          await created(),
          await created({ owner: null, dueInMs: 0 }),
          await created({ owner: null, dueInMs: null }),
          await created({ owner: null, dueInMs: 90_000, status: 'queued' }),
        ];
        await store.runs.hasten(60_000);
        expect(await store.runs.peek(soon.id)).toEqual({ ...soon, dueAt: now });
        expect(await store.runs.peek(later.id)).toEqual({ ...later, dueAt: now + 15_000 });
        for (const run of untouched) expect(await store.runs.peek(run.id)).toEqual(run);
      });
    });
  });
}

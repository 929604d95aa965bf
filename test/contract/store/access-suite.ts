import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredKey } from '../../../src/access/ports.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { DayQuota, IdempotencyClaim, NewRun, TokenQuota } from '../../../src/runs/ports.ts';
import type { Store, StoreOptions } from '../../../src/store/open-store.ts';
import { createTestPlace, type TestPlace } from './open-test-store.ts';
import { newRun } from './sample-run.ts';

const APP = 'https://app.example.com';
const DESK = 'https://desk.example.com:8443';

/** What every engine does alike for keys' browser origins and last use, and for the runs of tokens. */
export function accessSuite(name: string, options: Partial<StoreOptions>): void {
  describe(`keys in browsers (${name})`, () => {
    let place: TestPlace;
    let store: Store;

    beforeEach(async () => {
      place = createTestPlace(options);
      store = await place.open();
    });
    afterEach(() => place.remove());

    const key = (overrides: Partial<StoredKey> = {}): StoredKey => ({
      id: 'a1',
      name: 'support desk',
      role: 'runs',
      lineage: 'a1',
      secretHash: new Uint8Array(32),
      allowedWorkflows: [],
      allowedProviders: [],
      limits: { requestsPerMinute: null, concurrentRuns: null, runsPerDay: null },
      origins: [APP],
      createdAt: 1_000,
      expiresAt: null,
      revokedAt: null,
      lastUsedAt: null,
      ...overrides,
    });

    describe('origins', () => {
      it('are kept in order with the key', async () => {
        const one = key({ origins: [DESK, APP], lastUsedAt: 5 });
        await store.keys.insert(one);
        expect(await store.keys.find('a1')).toEqual(one);
        expect(await store.keys.list()).toEqual([one]);
      });

      it('are served while a key that is valid names them', async () => {
        await store.keys.insert(key({ expiresAt: 5_000 }));
        expect(await store.keys.servesOrigin(APP, 4_999)).toBe(true);
        expect(await store.keys.servesOrigin(APP, 5_000)).toBe(false);
        for (const other of [DESK, `${APP}/`, 'https://APP.example.com', 'null', '', `${APP}\0`]) {
          expect(await store.keys.servesOrigin(other, 1)).toBe(false);
        }
      });

      it('end with the last of the keys that name them, and not before', async () => {
        await store.keys.insert(key());
        await store.keys.insert(key({ id: 'a2', lineage: 'a2', origins: [APP, DESK] }));
        expect(await store.keys.revoke('a2', 2_000)).toBe(true);
        expect(await store.keys.servesOrigin(DESK, 3_000)).toBe(false);
        expect(await store.keys.servesOrigin(APP, 3_000)).toBe(true);
        expect(await store.keys.revoke('a1', 2_000)).toBe(true);
        expect(await store.keys.revoke('a1', 4_000)).toBe(true);
        expect(await store.keys.servesOrigin(APP, 3_000)).toBe(false);
        expect(await store.keys.find('a1')).toMatchObject({ origins: [APP], revokedAt: 2_000 });
      });

      it('go on with a successor, and those that it does not have end with the key that it replaces', async () => {
        await store.keys.insert(key({ origins: [APP, DESK] }));
        expect(await store.keys.replace('a1', key({ id: 'a2', createdAt: 2_000 }), 3_000)).toBe(true);
        expect(await store.keys.servesOrigin(DESK, 2_999)).toBe(true);
        expect(await store.keys.servesOrigin(DESK, 3_000)).toBe(false);
        expect(await store.keys.servesOrigin(APP, 3_000)).toBe(true);
      });

      it('are not those of a successor that was refused', async () => {
        await store.keys.insert(key({ origins: [], revokedAt: 1_500 }));
        expect(await store.keys.replace('a1', key({ id: 'a2' }), 3_000)).toBe(false);
        expect(await store.keys.servesOrigin(APP, 2_000)).toBe(false);
      });

      it('stay served over many rotations', async () => {
        await store.keys.insert(key({ id: 'k0' }));
        for (let i = 1; i < 20; i++) {
          const successor = key({ id: `k${i}`, createdAt: i * 1_000 });
          expect(await store.keys.replace(`k${i - 1}`, successor, i * 1_000 + 500)).toBe(true);
          expect(await store.keys.servesOrigin(APP, i * 1_000)).toBe(true);
        }
        await store.keys.revoke('k19', 30_000);
        expect(await store.keys.servesOrigin(APP, 30_000)).toBe(false);
      });
    });

    describe('the last use', () => {
      it('is written forward only, for keys that exist', async () => {
        await store.keys.insert(key());
        await store.keys.insert(key({ id: 'a2' }));
        await store.keys.used([
          { id: 'a1', at: 5_000 },
          { id: 'nobody', at: 5_000 },
        ]);
        expect(await store.keys.find('a1')).toEqual(key({ lastUsedAt: 5_000 }));
        await store.keys.used([
          { id: 'a1', at: 4_000 },
          { id: 'a2', at: 6_000 },
          { id: 'a2', at: 2_000 },
        ]);
        expect(await store.keys.find('a1')).toMatchObject({ lastUsedAt: 5_000 });
        expect(await store.keys.find('a2')).toMatchObject({ lastUsedAt: 6_000 });
        expect(await store.keys.find('nobody')).toBeNull();
        await store.keys.used([]);
      });

      it('takes as many at once as there are', async () => {
        const ids = Array.from({ length: 1_203 }, (_, i) => `k${i}`);
        await Promise.all(ids.map((id) => store.keys.insert(key({ id }))));
        await store.keys.used(ids.map((id, i) => ({ id, at: i + 1 })));
        const used = new Map((await store.keys.list()).map(({ id, lastUsedAt }) => [id, lastUsedAt]));
        expect(ids.map((id) => used.get(id))).toEqual(ids.map((_, i) => i + 1));
      });
    });

    describe('the runs of a token', () => {
      const HOUR_MS = 3_600_000;
      const token = (runsMax: number, id = 'tok_1'): TokenQuota => {
        return { id, runsMax, expiresAt: place.clock.now() + HOUR_MS };
      };
      const claimOf = (key: string, fingerprint = 'body'): IdempotencyClaim => {
        return { lineage: 'key_7d2f8a', subject: '', key, fingerprint };
      };
      const begin = (
        counted: { token?: TokenQuota | null; quota?: DayQuota; idempotency?: IdempotencyClaim },
        overrides: Partial<NewRun> = {},
      ) => {
        const run = newRun(place.nextId(), place.clock.now(), overrides);
        return store.runs.create(run, { idempotency: null, quota: null, ...counted });
      };
      const kindsOf = (results: readonly { kind: string }[]) => results.map(({ kind }) => kind).toSorted();

      it('are as many as it may begin, however many come at once', async () => {
        const results = await Promise.all(Array.from({ length: 30 }, () => begin({ token: token(4) })));
        expect(kindsOf(results).filter((kind) => kind === 'created')).toHaveLength(4);
        expect(kindsOf(results).filter((kind) => kind === 'over_token_quota')).toHaveLength(26);
        expect(await store.runs.countUnfinished()).toEqual({ queued: 0, total: 4 });
      });

      it('are counted for each token by itself, and not where there is none', async () => {
        expect(await begin({ token: token(0) })).toEqual({ kind: 'over_token_quota' });
        for (const id of ['tok_1', 'tok_2'])
          expect(await begin({ token: token(1, id) })).toMatchObject({ kind: 'created' });
        for (const id of ['tok_1', 'tok_2'])
          expect(await begin({ token: token(1, id) })).toEqual({ kind: 'over_token_quota' });
        expect(await begin({ token: null })).toMatchObject({ kind: 'created' });
        expect(await begin({})).toMatchObject({ kind: 'created' });
      });

      it('are not used up by replays, which go on when they are', async () => {
        const first = (await begin({ token: token(2), idempotency: claimOf('k') })) as { run: Run };
        const replays = [1, 2, 3].map(() => begin({ token: token(2), idempotency: claimOf('k') }));
        for (const replay of await Promise.all(replays)) {
          expect(replay).toMatchObject({ kind: 'same', runId: first.run.id });
        }
        expect(await begin({ token: token(2) })).toMatchObject({ kind: 'created' });
        expect(await begin({ token: token(2), idempotency: claimOf('k') })).toMatchObject({ kind: 'same' });
        expect(await begin({ token: token(2), idempotency: claimOf('k', 'other') })).toEqual({ kind: 'reused' });
      });

      it('leave nothing where they are refused: no run, no idempotency key, no count', async () => {
        await begin({ token: token(1) });
        const run = newRun(place.nextId(), 1);
        const quota = { day: '2027-03-01', runsMax: 1 };
        const refused = { idempotency: claimOf('k'), quota };
        expect(await store.runs.create(run, { ...refused, token: token(1) })).toEqual({ kind: 'over_token_quota' });
        expect(await store.runs.peek(run.id)).toBeNull();
        expect(await store.runs.findByKey(claimOf('k'))).toBeNull();
        // The day has its one run left.
        expect(await store.runs.create(run, { ...refused, token: token(2) })).toMatchObject({ kind: 'created' });
        expect(await begin({ quota, token: token(9) })).toEqual({ kind: 'over_quota' });
        // Nor does the token pay for what its key's day refused.
        expect(await begin({ token: token(3) })).toMatchObject({ kind: 'created' });
        expect(await begin({ token: token(3) })).toEqual({ kind: 'over_token_quota' });
      });

      it('are counted together with their run, or not at all', async () => {
        const taken = (await begin({})) as { run: Run };
        const broken = begin({ token: token(1) }, { id: taken.run.id }).catch(() => ({ kind: 'broken' }));
        const results = await Promise.all([broken, begin({ token: token(1) }), begin({ token: token(1) })]);
        expect(kindsOf(results)).toEqual(['broken', 'created', 'over_token_quota']);
      });

      it('are told, with those of the day', async () => {
        const of = { lineage: 'key_7d2f8a', day: '2027-03-01', tokenId: 'tok_1' };
        expect(await store.runs.countedRuns(of)).toEqual({ ofDay: 0, ofToken: 0 });
        await begin({ token: token(5) });
        await begin({ token: token(5), quota: { day: of.day, runsMax: 9 } });
        await begin({ token: token(5, 'tok_2'), quota: { day: '2027-03-02', runsMax: 9 } });
        expect(await store.runs.countedRuns(of)).toEqual({ ofDay: 1, ofToken: 2 });
        expect(await store.runs.countedRuns({ ...of, tokenId: null })).toEqual({ ofDay: 1, ofToken: 0 });
        expect(await store.runs.countedRuns({ ...of, lineage: 'key_b' })).toEqual({ ofDay: 0, ofToken: 2 });
      });

      it('are remembered until a minute after the token has ended', async () => {
        const ended = token(1);
        await begin({ token: ended });
        place.clock.advance(HOUR_MS + 60_000);
        await store.runs.purge(0, 10);
        expect(await begin({ token: ended })).toEqual({ kind: 'over_token_quota' });
        place.clock.advance(1);
        await store.runs.purge(0, 10);
        // Nobody asks for this any more; it only shows that the row is gone.
        expect(await begin({ token: ended })).toMatchObject({ kind: 'created' });
      });
    });
  });
}

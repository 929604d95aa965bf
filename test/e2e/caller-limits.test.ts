import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_LIMITS } from '../../src/access/key-limits.ts';
import { createKey } from '../../src/access/keys.ts';
import type { CallerLimits } from '../../src/core/caller.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { QUICK_KINDS } from '../contract/vendors/contract-table.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const PROVIDER = 'ai-tutor';
const DAY_S = 86_400;
const notHeld = { prefer: 'respond-async' };

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ kinds: QUICK_KINDS });
});
afterAll(() => gateway.stop());

/** Begins runs with a new key. */
async function starterWith(limits: Partial<CallerLimits>) {
  const rights = { role: 'runs', allowedWorkflows: [], allowedProviders: [], expiresAt: null } as const;
  const random = createSystemRandom();
  const made = createKey({ name: 'n', ...rights, limits: { ...NO_LIMITS, ...limits } }, { clock: systemClock, random });
  await gateway.command(({ store }) => store.keys.insert(made.stored));
  const authorization = `Bearer ${made.key.open()}`;
  return async function start(workflow: string, headers: Record<string, string> = {}) {
    return gateway.post('/runs', { provider: PROVIDER, workflow }, { authorization, ...headers });
  };
}

describe('a key with concurrent runs', () => {
  it('has that many unfinished ones, begins more as they end, and replays at any time', async () => {
    const start = await starterWith({ concurrentRuns: 2 });
    const first = await start('slow-1000', { ...notHeld, 'idempotency-key': 'first' });
    const second = await start('slow-1000', notHeld);
    expect([first.status, second.status]).toEqual([202, 202]);
    const third = await start('third');
    expect(third).toMatchObject({ status: 429, body: { error: { code: 'concurrency_limited', run_id: null } } });
    expect(third.headers.get('retry-after')).toBe('1');
    expect(await start('slow-1000', { ...notHeld, 'idempotency-key': 'first' })).toMatchObject({
      status: 202,
      body: { id: first.body.id },
    });
    const admin = await gateway.client('admin');
    await Promise.all([admin.end(first.body.id), admin.end(second.body.id)]);
    expect((await start('third')).status).toBe(200);
    expect(gateway.sandbox.starts({ workflow: 'third' })).toHaveLength(1);
  });

  it('begins exactly that many, however many are wanted together', async () => {
    const start = await starterWith({ concurrentRuns: 10 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => start('slow-1000', notHeld)));
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(202), count(429)]).toEqual([10, 90]);
  });

  it('gets one run for all copies of a request, even where it may have but one', async () => {
    const start = await starterWith({ concurrentRuns: 1 });
    const headers = { ...notHeld, 'idempotency-key': 'copied' };
    const answers = await Promise.all(Array.from({ length: 50 }, () => start('slow-1000', headers)));
    expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
    expect(new Set(answers.map(({ body }) => body.id))).toHaveLength(1);
  });
});

describe('a key with runs a day', () => {
  it('begins exactly that many, is told when the next day begins, and replays for nothing', async () => {
    const start = await starterWith({ runsPerDay: 10 });
    const key = { 'idempotency-key': 'kept' };
    const kept = await start('daily', key);
    expect((await start('daily', key)).body.id).toBe(kept.body.id);
    const answers = await Promise.all(Array.from({ length: 30 }, () => start('daily')));
    const refused = answers.filter(({ status }) => status === 429);
    expect([answers.length - refused.length, refused.length]).toEqual([9, 21]);
    expect(refused[0]).toMatchObject({ body: { error: { code: 'quota_exceeded', retryable: true } } });
    const waitS = Number(refused[0]?.headers.get('retry-after'));
    expect(waitS).toBeGreaterThanOrEqual(1);
    expect(waitS).toBeLessThanOrEqual(DAY_S);
    expect((await start('daily', key)).body.id).toBe(kept.body.id);
    expect(gateway.sandbox.starts({ workflow: 'daily' })).toHaveLength(10);
  });
});

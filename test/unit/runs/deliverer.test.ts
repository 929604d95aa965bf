import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import type { Owner } from '../../../src/core/ids.ts';
import { OutboundError, type PlainAnswer } from '../../../src/core/outbound.ts';
import type { Run } from '../../../src/runs/model.ts';
import { createDelivererWorld, scriptedTarget, type DelivererWorld } from './deliverer-world.ts';

const S = 1_000;
const MIN = 60 * S;
const H = 60 * MIN;
const LADDER = [5 * S, 5 * MIN, 30 * MIN, 2 * H, 5 * H, 10 * H, 10 * H];

async function dueIn(world: DelivererWorld, run: Run): Promise<number> {
  const { dueAt } = await world.message(run);
  if (dueAt === null) throw new Error('the message is not due');
  return dueAt - world.clock.now();
}

describe('a message', () => {
  it('is the run as it ended, in the form and with the headers of Standard Webhooks', async () => {
    const world = await createDelivererWorld();
    const run = await world.ended();
    await world.turn(world.deliverer());
    const [post] = world.target.posts;
    const { id } = await world.message(run);
    expect(post).toMatchObject({ allowPrivateNetwork: false, timeoutMs: 20_000 });
    expect(post?.headers).toEqual({
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(world.clock.now() / 1000)),
      'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/) as string,
    });
    const [body] = world.target.bodies();
    expect(body).toMatchObject({
      type: 'run.succeeded',
      timestamp: new Date(world.clock.now()).toISOString(),
      data: { id: run.id, object: 'run', status: 'succeeded', inputs: {}, output: { data: { mood: 'calm' } } },
    });
    expect(body?.data).not.toHaveProperty('key');
    expect(body?.data).not.toHaveProperty('webhook');
    expect(await world.message(run)).toMatchObject({ status: 'delivered', tries: 1, lastStatus: 204, dueAt: null });
  });

  it('of a run that waits says what it was like then, and of an end nothing that came later', async () => {
    const world = await createDelivererWorld();
    const ended = await world.end(await world.wait(await world.run()));
    await world.store.runs.resolve(ended.id, { as: 'failed', note: 'found out later' });
    await world.turn(world.deliverer());
    const [waiting, end] = world.target.bodies();
    expect(waiting).toMatchObject({
      type: 'run.waiting',
      data: { status: 'waiting', waiting: { for: 'input' }, output: null, finished_at: null, resolution: null },
    });
    expect(end).toMatchObject({ type: 'run.succeeded', data: { status: 'succeeded', resolution: null } });
  });

  it('is tried on a ladder, never earlier than a step says, and then given up', async () => {
    const world = await createDelivererWorld();
    const deliverer = world.deliverer();
    const run = await world.ended();
    world.target.answer({ status: 500 });
    for (const [i, stepMs] of LADDER.entries()) {
      await world.turn(deliverer);
      expect(await world.message(run)).toMatchObject({ status: 'pending', tries: i + 1, lastStatus: 500 });
      const waitMs = await dueIn(world, run);
      expect(waitMs).toBeGreaterThanOrEqual(stepMs);
      expect(waitMs).toBeLessThanOrEqual(stepMs * 1.1 + 1);
      world.clock.advance(waitMs - 1);
      await world.turn(deliverer);
      expect(world.target.posts).toHaveLength(i + 1);
      world.clock.advance(1);
    }
    await world.turn(deliverer);
    expect(await world.message(run)).toMatchObject({ status: 'failed', tries: 8, lastStatus: 500, dueAt: null });
    const ids = world.target.posts.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(1);
  });

  it('that failed is sent again from the beginning where somebody asks for it', async () => {
    const world = await createDelivererWorld();
    const deliverer = world.deliverer();
    const run = await world.ended();
    world.target.answer({ status: 410 });
    await world.turn(deliverer);
    const { id } = await world.message(run);
    await world.store.runs.redeliver(run.id, id);
    world.target.answer({ status: 200 });
    await world.turn(deliverer);
    expect(await world.message(run)).toMatchObject({ status: 'delivered', tries: 1 });
  });

  it.each([
    ['is taken', { status: 200 }],
    ['fails', { status: 500 }],
    ['finds the target gone', { status: 410 }],
  ])('that somebody wants again while it is tried is sent once more, when the try %s', async (_, first) => {
    const world = await createDelivererWorld();
    const deliverer = world.deliverer();
    const run = await world.ended();
    const underWay = Promise.withResolvers<PlainAnswer>();
    world.target.answer(underWay.promise, { status: 204 });
    await deliverer.turn();
    const { id } = await world.message(run);
    await expect.poll(() => world.target.posts).toHaveLength(1);
    for (let presses = 0; presses < 3; presses++) await world.store.runs.redeliver(run.id, id);
    // Never two at once, however often somebody looks.
    for (let turns = 0; turns < 3; turns++) await deliverer.turn();
    expect(world.target.posts).toHaveLength(1);
    underWay.resolve({ headers: {}, ...first });
    await deliverer.idle();
    expect(await world.message(run)).toMatchObject({ status: 'pending', tries: 0, dueAt: world.clock.now() });
    await world.turn(deliverer);
    expect(await world.message(run)).toMatchObject({ status: 'delivered', tries: 1, lastStatus: 204 });
    world.clock.advance(24 * H);
    await world.turn(deliverer);
    expect(world.target.posts.map(({ headers }) => headers['webhook-id'])).toEqual([id, id]);
  });

  it('that somebody wants again goes through its whole ladder anew', async () => {
    const world = await createDelivererWorld();
    const deliverer = world.deliverer();
    const run = await world.ended();
    world.target.answer({ status: 500 });
    await world.turn(deliverer);
    world.clock.advance(await dueIn(world, run));
    const underWay = Promise.withResolvers<PlainAnswer>();
    world.target.answer(underWay.promise, { status: 500 });
    await deliverer.turn();
    const { id } = await world.message(run);
    await world.store.runs.redeliver(run.id, id);
    underWay.resolve({ status: 500, headers: {} });
    await deliverer.idle();
    for (const [i, stepMs] of LADDER.entries()) {
      await world.turn(deliverer);
      expect(await world.message(run)).toMatchObject({ status: 'pending', tries: i + 1 });
      expect(await dueIn(world, run)).toBeGreaterThanOrEqual(stepMs);
      world.clock.advance(await dueIn(world, run));
    }
    await world.turn(deliverer);
    expect(await world.message(run)).toMatchObject({ status: 'failed', tries: 8 });
    expect(world.target.posts).toHaveLength(10);
  });

  it.each([
    ['seconds', '3600', H],
    ['a date', new Date(1_764_000_000_000 + H).toUTCString(), H],
    ['less than its step', '1', 5 * S],
    ['more than a day', '9999999', 24 * H],
    ['nonsense', 'soon', 5 * S],
  ])('heeds a Retry-After of %s where it is longer', async (_, value, atLeastMs) => {
    const world = await createDelivererWorld();
    const run = await world.ended();
    world.target.answer({ status: 503, headers: { 'retry-after': value } });
    await world.turn(world.deliverer());
    const waitMs = await dueIn(world, run);
    expect(waitMs).toBeGreaterThanOrEqual(atLeastMs);
    expect(waitMs).toBeLessThanOrEqual(atLeastMs * 1.1);
  });

  it('is the last of its run where the target says that it is gone', async () => {
    const world = await createDelivererWorld();
    const deliverer = world.deliverer();
    world.target.answer({ status: 410 });
    const run = await world.wait(await world.run());
    await world.turn(deliverer);
    await world.end(run);
    const other = await world.ended();
    world.target.answer({ status: 200 });
    await world.turn(deliverer);
    expect((await world.messages(run)).map(({ status }) => status)).toEqual(['gone', 'gone']);
    expect(await world.message(other)).toMatchObject({ status: 'delivered' });
    expect(world.target.posts).toHaveLength(2);
  });

  it.each([
    ['a redirect', { status: 307, headers: { location: 'http://169.254.169.254/' } }, 307, 'redirect'],
    ['an answer of no use', { status: 404 }, 404, null],
    ['no answer in time', new OutboundError('headers_timeout', { sent: true }), null, 'timeout'],
    [
      'an address that is not public',
      new OutboundError('forbidden_address', { sent: false }),
      null,
      'forbidden_address',
    ],
  ])('is tried again after %s', async (_, answer, lastStatus, lastError) => {
    const world = await createDelivererWorld();
    const run = await world.ended();
    world.target.answer(answer);
    await world.turn(world.deliverer());
    expect(await world.message(run)).toMatchObject({ status: 'pending', tries: 1, lastStatus, lastError });
    expect(world.target.posts).toHaveLength(1);
  });

  it('fails at once where its key has no secret, and the log says what to do', async () => {
    const world = await createDelivererWorld();
    const run = await world.ended();
    await world.turn(world.deliverer('own_first', { sign: async () => [] }));
    expect(await world.message(run)).toMatchObject({ status: 'failed', lastError: 'no_secret', lastStatus: null });
    expect(world.target.posts).toHaveLength(0);
    expect(world.log.find(({ level }) => level === 'warn')?.message).toContain('POST /me/webhook-secret');
  });

  it('is tried again where its secret cannot be opened now', async () => {
    const world = await createDelivererWorld();
    const run = await world.ended();
    const sign = async () => Promise.reject(new GatewayError('vault_unavailable'));
    await world.turn(world.deliverer('own_first', { sign }));
    expect(await world.message(run)).toMatchObject({ status: 'pending', tries: 1, lastError: 'vault_unavailable' });
  });

  it('carries a signature for each valid secret', async () => {
    const world = await createDelivererWorld();
    await world.ended();
    await world.turn(world.deliverer('own_first', { sign: async () => ['v1,new', 'v1,old'] }));
    expect(world.target.posts[0]?.headers['webhook-signature']).toBe('v1,new v1,old');
  });

  it('shows neither its text nor what is secret of its address to the log', async () => {
    const world = await createDelivererWorld();
    await world.ended();
    world.target.answer({ status: 500 });
    await world.turn(world.deliverer());
    const lines = JSON.stringify(world.log);
    expect(lines).toContain('https://app.example');
    for (const secret of ['a-callers-secret', 'printer', 'v1,']) expect(lines).not.toContain(secret);
  });
});

describe('a deliverer', () => {
  const never = () => new Promise<PlainAnswer>(() => {});

  it('sends every message whose carrier was killed, under the same id', async () => {
    const world = await createDelivererWorld();
    const killed = world.deliverer('own_killed');
    await world.prove(killed);
    const runs: Run[] = [];
    for (let i = 0; i < 10; i++) runs.push(await world.ended());
    const answer = Promise.withResolvers<PlainAnswer>();
    world.target.answer(answer.promise);
    await killed.turn();
    expect(killed.runIds()).toHaveLength(10);
    await world.store.runs.reclaim('own_second' as Owner);
    const target = scriptedTarget();
    const second = world.deliverer('own_second', { outbound: target });
    await world.turn(second);
    // To this process the target was new, and had not a place for each.
    world.clock.advance(3 * S);
    await world.turn(second);
    const ids = ({ posts }: { posts: readonly { headers: Readonly<Record<string, string>> }[] }) =>
      posts.map(({ headers }) => headers['webhook-id'] ?? '').toSorted();
    expect(ids(target)).toEqual(ids(world.target));
    expect(target.posts).toHaveLength(10);
    // What the dead one hears later changes nothing.
    answer.resolve({ status: 500, headers: {} });
    await killed.idle();
    for (const run of runs) expect(await world.message(run)).toMatchObject({ status: 'delivered', tries: 1 });
  });

  it('has no more under way than it may', async () => {
    const world = await createDelivererWorld();
    const deliverer = world.deliverer('own_first', { limits: { deliveriesMax: 8 } });
    await world.prove(deliverer);
    for (let i = 0; i < 20; i++) await world.ended();
    world.target.answer(never());
    for (let i = 0; i < 5; i++) await deliverer.turn();
    expect(world.target.posts).toHaveLength(6);
  });

  it('goes on with others while a target with many messages is silent', async () => {
    const world = await createDelivererWorld();
    const dead = { url: 'https://dead.example', events: ['run.succeeded'] } as const;
    const silent = scriptedTarget();
    const deliverer = world.deliverer('own_first', {
      outbound: { post: (post, signal) => (post.url === dead.url ? silent : world.target).post(post, signal) },
    });
    silent.answer(never());
    for (let i = 0; i < 100; i++) await world.ended({ webhook: dead });
    world.clock.advance(1);
    const alive: Run[] = [];
    for (let i = 0; i < 10; i++) alive.push(await world.ended());
    const statuses = async () => {
      world.clock.advance(1 * S);
      await deliverer.turn();
      return (await Promise.all(alive.map((run) => world.message(run)))).map(({ status }) => status);
    };
    await expect.poll(statuses, { interval: 1 }).toEqual(alive.map(() => 'delivered'));
    expect(silent.posts).toHaveLength(4);
  });

  it('gives back untried what its target has no place for', async () => {
    const world = await createDelivererWorld();
    const deliverer = world.deliverer('own_first', { limits: { deliveriesMax: 4 } });
    await world.prove(deliverer);
    for (let i = 0; i < 4; i++) await world.ended();
    world.target.answer(never());
    await deliverer.turn();
    world.clock.advance(3 * S);
    const left = await world.store.runs.claimDeliveries('own_second' as Owner, 10);
    expect(left).toMatchObject([{ tries: 0, lastAt: null, status: 'pending' }]);
  });

  it('gives back together what a silent target has no places for', async () => {
    const world = await createDelivererWorld();
    const { runs } = world.store;
    let open = 0;
    const openAtOnce: number[] = [];
    const deliverer = world.deliverer('own_first', {
      store: {
        ...runs,
        async postponeDelivery(...delivery) {
          openAtOnce.push(++open);
          const postponed = await runs.postponeDelivery(...delivery);
          open -= 1;
          return postponed;
        },
      },
    });
    await world.ended();
    world.target.answer(new OutboundError('headers_timeout', { sent: true }), never());
    await world.turn(deliverer);
    for (let i = 0; i < 10; i++) await world.ended();
    await deliverer.turn();
    // Of 16 places it has two.
    expect(openAtOnce).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(open).toBe(0);
  });

  it('goes on with the others where the store fails for one of them', async () => {
    const world = await createDelivererWorld();
    const { runs } = world.store;
    const [first, ...others] = [await world.ended(), await world.ended(), await world.ended()];
    const deliverer = world.deliverer('own_first', {
      store: {
        ...runs,
        peek: (id) => (id === first.id ? Promise.reject(new GatewayError('store_unavailable')) : runs.peek(id)),
      },
    });
    await world.turn(deliverer);
    for (const run of others) expect(await world.message(run)).toMatchObject({ status: 'delivered', tries: 1 });
    expect(world.log).toMatchObject([
      { level: 'warn', fields: { run_id: first.id }, message: 'a webhook message could not be carried' },
      { level: 'debug' },
      { level: 'debug' },
    ]);
    await runs.release('own_first' as Owner, deliverer.runIds());
    await world.turn(world.deliverer());
    expect(await world.message(first)).toMatchObject({ status: 'delivered', tries: 1 });
  });

  it('gives back what it breaks off when the process stops', async () => {
    const world = await createDelivererWorld();
    const run = await world.ended();
    const stop = new AbortController();
    const deliverer = world.deliverer('own_first', {
      stopped: stop.signal,
      outbound: {
        post: (_, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new OutboundError('aborted', { sent: true })));
          }),
      },
    });
    await deliverer.turn();
    stop.abort();
    await deliverer.idle();
    expect(await world.message(run)).toMatchObject({ status: 'pending', tries: 0, dueAt: world.clock.now() });
    expect(await deliverer.turn()).toBe(false);
  });

  it('keeps what a try came to until the store takes it', async () => {
    const world = await createDelivererWorld();
    const run = await world.ended();
    let failures = 2;
    const { runs } = world.store;
    const deliverer = world.deliverer('own_first', {
      clock: { ...world.clock, after: (_, fn) => world.clock.after(0, fn) },
      store: {
        ...runs,
        settleDelivery: (...settled) =>
          failures-- > 0 ? Promise.reject(new GatewayError('store_unavailable')) : runs.settleDelivery(...settled),
      },
    });
    await world.turn(deliverer);
    expect(failures).toBe(-1);
    expect(await world.message(run)).toMatchObject({ status: 'delivered', tries: 1 });
    expect(world.target.posts).toHaveLength(1);
  });
});

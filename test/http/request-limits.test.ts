import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseList, type Item } from 'structured-headers';
import { NO_LIMITS } from '../../src/access/key-limits.ts';
import type { Caller } from '../../src/core/caller.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { HOP_HEADER } from '../../src/core/hop.ts';
import { endedWell } from '../support/memory-runs.ts';
import { callerWith, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

const MINUTE_MS = 60_000;
const LIMITED = 10;
const notHeld = { prefer: 'respond-async' };
const limits = { ...NO_LIMITS, requestsPerMinute: LIMITED };

/** `rotated` is the key that replaced `limited`. */
const CALLERS: Readonly<Record<string, Caller>> = {
  limited: callerWith('runs', { keyId: 'key_1', lineage: 'key_1', limits }),
  rotated: callerWith('runs', { keyId: 'key_2', lineage: 'key_1', limits }),
  neighbour: callerWith('runs', { keyId: 'key_3', lineage: 'key_3', limits }),
  once: callerWith('runs', { lineage: 'key_4', limits: { ...NO_LIMITS, requestsPerMinute: 1 } }),
  reader: callerWith('viewer', { lineage: 'key_5', limits }),
  free: callerWith('runs', { lineage: 'key_6', limits: { ...NO_LIMITS, concurrentRuns: 1, runsPerDay: 1 } }),
};

/** Stands still between a test's own steps. */
let nowMs = 0;
let app: RunningApp;
beforeEach(async () => {
  app = await startRunsApp({
    clock: { now: () => nowMs, monotonic: () => nowMs },
    authenticate: async ({ authorization }) => {
      const caller = CALLERS[authorization?.replace('Bearer ', '') ?? ''];
      if (!caller) throw new GatewayError('unauthorized');
      return caller;
    },
  });
});
afterEach(() => app[Symbol.asyncDispose]());

async function send(path: string, key: string, init: Omit<RequestInit, 'headers'> & { headers?: object } = {}) {
  return fetch(app.url + path, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });
}

async function start(key: string, headers: object = {}, body: object = { workflow: 'w' }) {
  const all = { 'content-type': 'application/json', ...headers };
  return send('/runs', key, { method: 'POST', body: JSON.stringify(body), headers: all });
}

/** What a field says, as a client reads it that knows structured fields. */
function read(answer: Response, field: 'ratelimit' | 'ratelimit-policy'): { [parameter: string]: unknown } {
  const [item, ...more] = parseList(answer.headers.get(field) ?? '') as Item[];
  expect(more).toEqual([]);
  const [name, parameters] = item ?? [];
  return { name, ...Object.fromEntries(parameters ?? []) };
}

function remaining(answer: Response): unknown {
  return read(answer, 'ratelimit')['r'];
}

function limitFields({ headers }: Response): string[] {
  return [...headers.keys()].filter((name) => /ratelimit/.test(name));
}

describe('a key with requests a minute', () => {
  it('is told its policy and what is left, in structured fields and in no others', async () => {
    const first = await send('/runs', 'limited');
    expect(first.headers.get('ratelimit-policy')).toBe('"key";q=10;w=60');
    expect(read(first, 'ratelimit-policy')).toEqual({ name: 'key', q: LIMITED, w: 60 });
    expect(read(first, 'ratelimit')).toEqual({ name: 'key', r: LIMITED - 1, t: 60 });
    expect(limitFields(first)).toEqual(['ratelimit', 'ratelimit-policy']);
    nowMs += 15_999;
    expect(read(await send('/runs', 'limited'), 'ratelimit')).toEqual({ name: 'key', r: LIMITED - 2, t: 45 });
  });

  it('is refused beyond them, and told when it may come back', async () => {
    expect((await send('/runs', 'once')).status).toBe(200);
    nowMs += 20_500;
    const refused = await send('/runs', 'once');
    expect(refused.status).toBe(429);
    expect(read(refused, 'ratelimit')).toEqual({ name: 'key', r: 0, t: 40 });
    expect(refused.headers.get('retry-after')).toBe('40');
    const { error } = (await refused.json()) as Envelope;
    expect(error).toMatchObject({ code: 'rate_limited', source: 'gateway', retryable: true, retry_after_s: 40 });
    expect(error.message).toBe('This key’s requests a minute are limited to 1; send this one again in 40 s.');
    expect(limitFields(refused)).toEqual(['ratelimit', 'ratelimit-policy']);
  });

  it('may send them all again once the minute is over, however many were refused meanwhile', async () => {
    await send('/runs', 'once');
    for (let i = 0; i < 3; i += 1) expect((await send('/runs', 'once')).status).toBe(429);
    const refused = await send('/runs', 'once');
    nowMs += Number(refused.headers.get('retry-after')) * 1000;
    expect((await send('/runs', 'once')).status).toBe(200);
    expect((await send('/runs', 'once')).status).toBe(429);
    nowMs += 10 * MINUTE_MS;
    expect(remaining(await send('/runs', 'once'))).toBe(0);
  });

  it('shares them with the key that replaced it, and with nobody else', async () => {
    expect(remaining(await send('/runs', 'limited'))).toBe(9);
    expect(remaining(await send('/runs', 'rotated'))).toBe(8);
    expect(remaining(await send('/runs', 'limited'))).toBe(7);
    expect(remaining(await send('/runs', 'neighbour'))).toBe(9);
  });

  it('gets exactly so many through, however many come together', async () => {
    const keys = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 'limited' : 'rotated'));
    const answers = await Promise.all(keys.map((key) => start(key, notHeld)));
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(202), count(429)]).toEqual([LIMITED, 90]);
    expect(app.runs.created).toHaveLength(LIMITED);
  });

  it('is told them on every answer, refusals and streams in', async () => {
    app.runs.behave(endedWell(Date.now()), { 'x-ratelimit-remaining': '77' });
    const held = await start('limited');
    expect(held.headers.get('x-ratelimit-remaining')).toBe('77');
    const { id } = (await held.json()) as { id: string };
    const answers = [
      held,
      await start('limited', { accept: 'text/event-stream' }),
      await send(`/runs/${id}`, 'limited', { method: 'HEAD' }),
      await send('/runs/run_01k9zq00000000000000000000', 'limited'),
      await send('/runs?nonsense=1', 'limited'),
      await send('/runs', 'limited', { headers: { accept: 'image/png' } }),
      await start('limited', {}, { inputs: 'none' }),
      await start('limited', { 'content-encoding': 'gzip' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 404, 400, 406, 400, 415]);
    expect(answers.map(remaining)).toEqual([9, 8, 7, 6, 5, 4, 3, 2]);
    const forbidden = await start('reader');
    expect([forbidden.status, remaining(forbidden)]).toEqual([403, LIMITED - 1]);
  });

  it('has its replays counted too', async () => {
    const copies = [];
    for (let i = 0; i < 3; i += 1) copies.push(await start('limited', { ...notHeld, 'idempotency-key': 'one' }));
    expect(copies.map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true', 'true']);
    expect(copies.map(remaining)).toEqual([9, 8, 7]);
  });

  it('is refused before its body is looked at, and nothing is begun', async () => {
    await send('/runs', 'once');
    expect((await start('once', {}, { inputs: 'none' })).status).toBe(429);
    expect(app.runs.created).toEqual([]);
  });
});

describe('everybody else', () => {
  it('gets no such fields, whatever the answer', async () => {
    const answers = [
      await send('/runs', 'free'),
      await start('free', notHeld),
      await send('/runs/run_01k9zq00000000000000000000', 'free'),
      await start('free', {}, { inputs: 'none' }),
      await send('/runs', 'nobody'),
      await send('/healthz', 'limited'),
      await send('/no/such/path', 'limited'),
      await send('/runs', 'limited', { headers: { [HOP_HEADER]: '1' } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 202, 404, 400, 401, 200, 404, 508]);
    expect(answers.flatMap(limitFields)).toEqual([]);
  });

  it('is not kept from anything by a key that is', async () => {
    await send('/runs', 'once');
    expect((await send('/runs', 'once')).status).toBe(429);
    for (let i = 0; i < 2 * LIMITED; i += 1) expect((await send('/runs', 'free')).status).toBe(200);
  });
});

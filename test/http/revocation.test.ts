import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createOpenCalls, type OpenCalls } from '../../src/access/open-calls.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { RunId } from '../../src/core/ids.ts';
import { openEvents, type EventClient } from '../support/event-client.ts';
import { callerWith, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

const WITHIN_MS = 1_000;
const TOKEN = `rgt_short`;
const UNATTENDED_AFTER_MS = 6_000;

let revoked: Set<string>;
let tokenExpiresAt: number;
let openCalls: OpenCalls;
let app: RunningApp;
let clients: EventClient[];
beforeEach(async () => {
  revoked = new Set();
  clients = [];
  tokenExpiresAt = Infinity;
  openCalls = createOpenCalls({
    isValid: async (keyId) => !revoked.has(keyId),
    isTrusted: () => true,
    clock: systemClock,
    log: { warn: () => expect.unreachable(), error: () => expect.unreachable() },
  });
  app = await startRunsApp({
    openCalls,
    async authenticate({ authorization, token }) {
      if (token === TOKEN)
        return callerWith('runs', { token: { id: 't', runsMax: null, expiresAt: tokenExpiresAt, origin: null } });
      return callerWith('runs', authorization === 'Bearer second' ? { keyId: 'key_second' } : {});
    },
  });
});
afterEach(async () => {
  openCalls.stop();
  for (const client of clients) client.leave();
  await app[Symbol.asyncDispose]();
});

function open(request: Parameters<typeof openEvents>[1]): EventClient {
  const client = openEvents(app.port, request);
  clients.push(client);
  return client;
}

const JSON_ONLY = { accept: 'application/json' };
const begin = (headers: Record<string, string>, fields: object = {}) =>
  open({ method: 'POST', path: '/runs', headers, body: { workflow: 'w', ...fields } });

async function beginRun(fields: object = {}): Promise<RunId> {
  const client = begin({ ...JSON_ONLY, prefer: 'respond-async' }, fields);
  await client.whole();
  client.leave();
  return (JSON.parse(client.text()) as { id: RunId }).id;
}

async function held(count: number): Promise<void> {
  while (app.runs.holds.length < count) await sleep(5);
}

/** How long each took to be over from now on. */
async function timed(waiting: readonly Promise<void>[]): Promise<number> {
  const sinceMs = performance.now();
  await Promise.all(waiting);
  return performance.now() - sinceMs;
}

function expectUnauthorized(client: EventClient, id: RunId): void {
  expect([client.status(), client.header('www-authenticate')]).toEqual([401, expect.stringContaining('Bearer')]);
  const { error } = JSON.parse(client.text()) as Envelope;
  expect(error).toMatchObject({ code: 'unauthorized', run_id: id, retryable: false });
  expect(error.message).toContain('its run goes on');
}

describe('a key that is revoked', () => {
  it('has its waits answered with 401 within a second, and others go on', async () => {
    const id = await beginRun();
    app.runs.change(id, { status: 'waiting' });
    const resumed = open({ method: 'POST', path: `/runs/${id}/resume`, headers: JSON_ONLY, body: {} });
    await held(1);
    const read = open({ path: `/runs/${id}`, headers: { ...JSON_ONLY, prefer: 'wait=30' } });
    const begun = begin(JSON_ONLY);
    await held(3);
    const newest = app.runs.holds[2]?.id as RunId;
    const other = open({
      path: `/runs/${newest}`,
      headers: { ...JSON_ONLY, prefer: 'wait=30', authorization: 'Bearer second' },
    });
    await held(4);
    revoked.add('key_runs');
    expect(await timed([resumed, read, begun].map((client) => client.whole()))).toBeLessThan(WITHIN_MS);
    expectUnauthorized(resumed, id);
    expectUnauthorized(read, id);
    expectUnauthorized(begun, newest);
    expect(begun.header('location')).toBe(`/runs/${newest}`);
    await sleep(300);
    expect(other.isWhole()).toBe(false);
    app.runs.change(newest, { status: 'succeeded', finishedAt: Date.now() });
    await other.whole();
    expect(other.status()).toBe(200);
  });

  it('has its streams closed within a second, with a reason in the last comment', async () => {
    const id = await beginRun();
    const followed = open({ path: `/runs/${id}/events` });
    const begun = begin({});
    await followed.until(() => followed.text().includes('run.started'));
    await begun.until(() => begun.text().includes('run.started'));
    revoked.add('key_runs');
    expect(await timed([followed.whole(), begun.whole()])).toBeLessThan(WITHIN_MS);
    for (const client of [followed, begun]) {
      expect(client.text()).toMatch(
        /: the key or token of this stream was revoked or has expired; its run goes on\n\n$/,
      );
    }
  });

  it('has a stream that nobody reads closed too', async () => {
    const id = await beginRun();
    const stuck = open({ path: `/runs/${id}/events` });
    await stuck.until(() => stuck.text().includes('run.started'));
    stuck.socket.pause();
    for (let i = 0; i < 200; i++) app.runs.emit(id, 'run.output.delta', { text: 'x'.repeat(50_000) });
    await sleep(50);
    revoked.add('key_runs');
    const sinceMs = performance.now();
    const open_ = () => new Promise<number>((resolve) => app.app.server.getConnections((_, count) => resolve(count)));
    while ((await open_()) > 0) await sleep(10);
    expect(performance.now() - sinceMs).toBeLessThan(WITHIN_MS);
  });

  it('was not left by its callers: their runs go on', async () => {
    const waiting = begin(JSON_ONLY, { on_disconnect: 'cancel' });
    const streaming = begin({}, { on_disconnect: 'cancel' });
    await held(1);
    await streaming.until(() => streaming.text().includes('run.started'));
    revoked.add('key_runs');
    await Promise.all([waiting.whole(), streaming.whole()]);
    app.clock.offsetMs = UNATTENDED_AFTER_MS;
    app.runs.log.sweep();
    expect(app.runs.unattended).toEqual([]);
    // Bites: one that is left is cancelled.
    revoked.clear();
    const left = begin({}, { on_disconnect: 'cancel' });
    await left.until(() => left.text().includes('run.started'));
    left.leave();
    await sleep(50);
    app.clock.offsetMs += UNATTENDED_AFTER_MS;
    app.runs.log.sweep();
    expect(app.runs.unattended).toHaveLength(1);
  });
});

describe('a token that expires', () => {
  it('ends the stream that it opened', async () => {
    const id = await beginRun();
    tokenExpiresAt = Date.now() + 300;
    const sinceMs = performance.now();
    const followed = open({ path: `/runs/${id}/events?token=${TOKEN}` });
    const byKey = open({ path: `/runs/${id}/events` });
    await followed.whole();
    expect(performance.now() - sinceMs).toBeGreaterThan(290);
    expect(performance.now() - sinceMs).toBeLessThan(300 + WITHIN_MS);
    expect(followed.text()).toContain('has expired');
    expect(byKey.isWhole()).toBe(false);
  });
});

describe('what was held', () => {
  it('is let go of however it ends', async () => {
    let open = 0;
    await using counted = await startRunsApp({
      openCalls: {
        hold() {
          open++;
          return () => open--;
        },
      },
    });
    const client = (request: Parameters<typeof openEvents>[1]) => openEvents(counted.port, request);
    const post = (headers: Record<string, string>) =>
      client({ method: 'POST', path: '/runs', headers, body: { workflow: 'w' } });
    const waiting = post(JSON_ONLY);
    const streaming = post({});
    const ended = post({});
    await streaming.until(() => streaming.text().includes('run.started'));
    await ended.until(() => ended.text().includes('run.started'));
    while (counted.runs.holds.length < 1) await sleep(5);
    expect(open).toBe(3);
    const id = /"run_id":"([^"]+)"/.exec(ended.text())?.[1] as RunId;
    counted.runs.change(id, { status: 'succeeded', finishedAt: Date.now() });
    await ended.whole();
    waiting.leave();
    streaming.leave();
    const missing = client({ path: '/runs/run_01k9zq00000000000000000000/events' });
    await missing.whole();
    const over = client({ path: `/runs/${id}/events`, headers: { 'last-event-id': '3' } });
    await over.whole();
    expect(over.status()).toBe(204);
    await vi.waitFor(() => expect(open).toBe(0));
    for (const one of [ended, missing, over]) one.leave();
  });
});

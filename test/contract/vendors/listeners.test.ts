import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import type { AnyProviderKind } from '../../../src/providers/define-provider.ts';
import { VENDOR_SANDBOXES } from '../../../src/sandbox/vendors.ts';
import type { EventClient } from '../../support/event-client.ts';
import { startTestGateway, vendorOf, type TestGateway } from '../../support/gateway.ts';
import {
  beginStream,
  followRun,
  isEnd,
  joinedDeltas,
  readToEnd,
  runIdOf,
  seenBy,
  untilType,
} from '../../support/streams.ts';
import { startRecordingProxy, type RecordingProxy } from '../../support/streams-proxy.ts';
import { QUICK_KINDS } from './contract-table.ts';

/** What only a run with a listener asks a vendor for. */
const STREAMS = /\/(stream|ws|token)$/;
const FOLLOW = /\/stream$/;
const POLL = /\/v1\/runs\/[^/]+$/;
/** Polled once a minute, where nothing hints at news. */
const SLOW_KINDS = PROVIDER_KINDS.map((kind) => ({ ...kind, pollPace: { firstMs: 60_000, factor: 1, maxMs: 60_000 } }));
/** On a busy machine; nothing is measured here, but what comes by a time-out of its own would come later. */
const SOON = { timeout: 5_000, interval: 20 };

const streamed = PROVIDER_KINDS.filter(({ startStream }) => startStream !== undefined);
const followed = PROVIDER_KINDS.filter(({ follow }) => follow !== undefined);
const others = PROVIDER_KINDS.filter(({ startStream, follow }) => startStream === undefined && follow === undefined);
const clients: EventClient[] = [];
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({ kinds: QUICK_KINDS, environment: { RUNGATE_DELTA_GROUP_MS: '5' } });
});
afterAll(async () => {
  for (const client of clients) client.leave();
  await gateway.stop();
  if (gateway.complaints.length > 0) throw new Error(`the log complains: ${gateway.complaints.join('; ')}`);
});

/** A gateway of its own for one test, whose provider of this kind is behind a proxy. */
async function recorded<T>(
  kind: string,
  environment: Record<string, string>,
  use: (world: { own: TestGateway; proxy: RecordingProxy }) => Promise<T>,
  kinds: readonly AnyProviderKind[] = QUICK_KINDS,
): Promise<T> {
  const { origin, baseUrl } = vendorOf(gateway.sandbox, kind);
  const proxy = await startRecordingProxy(origin);
  const own = await startTestGateway({
    kinds,
    environment: { RUNGATE_DELTA_GROUP_MS: '5', ...environment },
    providers: () => ({ [kind]: { kind, baseUrl: baseUrl.replace(origin, proxy.origin) } }),
  });
  try {
    return await use({ own, proxy });
  } finally {
    await own.stop();
    await proxy.close();
    expect(own.complaints).toEqual([]);
  }
}

function listen(at: TestGateway, kind: string, workflow: string, fields: object = {}): EventClient {
  const body = { provider: kind, workflow: gateway.workflowId(kind, workflow), inputs: { a: 1 }, ...fields };
  const client = beginStream(at, body);
  clients.push(client);
  return client;
}

function follow(at: TestGateway, id: string): EventClient {
  const client = followRun(at, id);
  clients.push(client);
  return client;
}

const types = (client: EventClient) => seenBy(client).map(({ type }) => type);

describe.each(streamed)('a run of $kind, which streams', ({ kind }) => {
  it('is begun by the plain start where nobody listens', () =>
    recorded(kind, {}, async ({ own, proxy }) => {
      const workflow = 'nobody-listens.runs-300';
      const id = await own.begin({ provider: kind, workflow: gateway.workflowId(kind, workflow) });
      const reader = follow(own, id);
      expect((await readToEnd(reader)).at(-1)?.type).toBe('run.succeeded');
      const held = await own.post('/runs', { provider: kind, workflow: gateway.workflowId(kind, workflow) });
      expect(held.body.status).toBe('succeeded');
      expect(proxy.requests(STREAMS)).toEqual([]);
      expect(gateway.sandbox.starts({ kind, workflow })).toHaveLength(2);
    }));

  it('is begun as a stream where somebody does, in pieces as they come', () =>
    recorded(kind, {}, async ({ own, proxy }) => {
      const client = listen(own, kind, 'somebody-listens.deltas-12.runs-600');
      await untilType(client, 'run.output.delta');
      expect(client.isWhole()).toBe(false);
      const events = await readToEnd(client);
      expect(events.filter(({ type }) => type === 'run.output.delta').length).toBeGreaterThan(3);
      expect(joinedDeltas(events)).toBe(events.at(-1)?.data.run.output.text);
      expect(proxy.requests(STREAMS).length).toBeGreaterThan(0);
      expect(gateway.sandbox.starts({ kind, workflow: 'somebody-listens.deltas-12.runs-600' })).toHaveLength(1);
    }));

  it('goes on where its listeners leave, and tells the next one everything', async () => {
    const client = listen(gateway, kind, 'left-alone.deltas-12.runs-600');
    await untilType(client, 'run.output.delta');
    const id = await runIdOf(client);
    client.leave();
    const ended = await gateway.end(id);
    const events = await readToEnd(follow(gateway, id));
    expect(joinedDeltas(events)).toBe(ended.output.text);
  });

  it('that is queued and gets a listener before it begins is streamed', () =>
    recorded(kind, { RUNGATE_STARTS_MAX: '1' }, async ({ own, proxy }) => {
      const first = await own.begin({ provider: kind, workflow: gateway.workflowId(kind, 'slow-1200.runs-0') });
      const workflow = 'was-queued.deltas-4';
      const id = await own.begin({ provider: kind, workflow: gateway.workflowId(kind, workflow) });
      expect((await own.get(`/runs/${id}`)).body.status).toBe('queued');
      expect(proxy.requests(STREAMS)).toEqual([]);
      const reader = follow(own, id);
      const events = await readToEnd(reader);
      expect(events.map(({ type }) => type).slice(0, 2)).toEqual(['run.created', 'run.started']);
      expect(joinedDeltas(events)).toBe(events.at(-1)?.data.run.output.text);
      expect(joinedDeltas(events)).not.toBe('');
      expect(gateway.sandbox.starts({ kind, workflow })).toHaveLength(1);
      await own.end(first);
    }));

  it('that comes to wait is told to wait, though its stream says nothing more', async () => {
    if (!VENDOR_SANDBOXES.some((vendor) => vendor.kind === kind && vendor.traits.includes('waiting'))) return;
    const client = listen(gateway, kind, 'waits-1500.runs-300');
    expect((await untilType(client, 'run.waiting')).data.waiting).toMatchObject({ for: 'resume' });
    const events = await readToEnd(client);
    expect(events.at(-1)?.type).toBe('run.succeeded');
    expect(events.filter(({ type }) => type === 'run.waiting')).toHaveLength(1);
  });

  it('that is cancelled while it is streamed ends its stream', async () => {
    const client = listen(gateway, kind, 'to-be-cancelled.deltas-1000.runs-60000');
    await untilType(client, 'run.output.delta');
    const id = await runIdOf(client);
    const { status } = await gateway.cancel(id);
    const events = await readToEnd(client);
    expect(events.at(-1)).toMatchObject({ type: 'run.cancelled' });
    const { cancel } = PROVIDER_KINDS.find((one) => one.kind === kind)!;
    const { run } = events.at(-1)!.data;
    // Without a way to ask the vendor, the connection is closed, and nobody knows whether that stops anything.
    expect([status, run.upstream.stopped]).toEqual(cancel === undefined ? [200, false] : [202, true]);
  });
});

describe.each(others)('a run of $kind, which has no stream', ({ kind }) => {
  it('streams its moves and its polls', async () => {
    const events = await readToEnd(listen(gateway, kind, 'without-a-stream.runs-700'));
    const seen = events.map(({ type }) => type);
    expect([...new Set(seen)]).toEqual(['run.created', 'run.started', 'run.progress', 'run.succeeded']);
    const polls = events.filter(({ type }) => type === 'run.progress');
    expect(polls.map(({ data }) => data.name)).toEqual(polls.map(() => 'poll'));
    expect(polls[0]?.data).toHaveProperty('data.status');
  });

  it('has no events of polls where nobody reads them', async () => {
    const id = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, 'unread.runs-700') });
    await gateway.end(id);
    const events = await readToEnd(follow(gateway, id));
    expect(events.map(({ type }) => type)).toEqual(['run.created', 'run.started', 'run.succeeded']);
  });
});

describe.each(followed)('the stream beside a run of $kind', ({ kind }) => {
  const open = (proxy: RecordingProxy) => proxy.requests(FOLLOW).filter((request) => request.open).length;

  it('is open while somebody follows the run, and not otherwise', () =>
    recorded(kind, {}, async ({ own, proxy }) => {
      const workflow = 'beside.deltas-60.runs-6000';
      const id = await own.begin({ provider: kind, workflow: gateway.workflowId(kind, workflow) });
      await own.until(id, ({ upstream }) => upstream.run_id !== null);
      await expect.poll(() => proxy.requests(/^GET/).length, SOON).toBeGreaterThan(1);
      expect(proxy.requests(FOLLOW)).toEqual([]);
      const readers = [follow(own, id), follow(own, id)];
      for (const reader of readers) {
        await reader.until(() => seenBy(reader).some(({ data }) => data.name === 'node.completed'));
      }
      // However many read, one stream is read for them.
      expect([open(proxy), proxy.requests(FOLLOW).length]).toEqual([1, 1]);
      readers[0]?.leave();
      await readers[1]?.until(
        () => seenBy(readers[1]!).filter(({ data }) => data.name === 'node.completed').length > 8,
      );
      expect(open(proxy)).toBe(1);
      readers[1]?.leave();
      await expect.poll(() => open(proxy), SOON).toBe(0);
      expect(await own.end(id)).toMatchObject({ status: 'succeeded' });
      expect(proxy.requests(FOLLOW)).toHaveLength(1);
      expect(gateway.sandbox.starts({ kind, workflow })).toHaveLength(1);
    }));

  it.each(['breaks-2', 'unended-2'])('that %s is replaced by polls, and nothing else is lost', (fault) =>
    recorded(kind, {}, async ({ own, proxy }) => {
      const client = listen(own, kind, `${fault}.runs-1200`);
      const events = await readToEnd(client);
      expect(events.at(-1)?.type).toBe('run.succeeded');
      expect(events.filter(isEnd)).toHaveLength(1);
      expect(events.some(({ data }) => data?.name === 'node.completed')).toBe(true);
      expect(proxy.requests(POLL).length).toBeGreaterThan(0);
    }),
  );

  it('does not keep a run going beyond its deadline', () =>
    recorded(kind, {}, async ({ own, proxy }) => {
      const client = listen(own, kind, 'overdue.deltas-60.runs-60000', { timeout_s: 2 });
      expect((await readToEnd(client)).at(-1)?.type).toBe('run.timed_out');
      await expect.poll(() => open(proxy), SOON).toBe(0);
    }));

  it('whose connection is cut in the middle is opened again', () =>
    recorded(kind, {}, async ({ own, proxy }) => {
      const client = listen(own, kind, 'cut-twice.deltas-20.runs-3000');
      const steps = () => seenBy(client).filter(({ data }) => data?.name === 'node.completed').length;
      await client.until(() => steps() > 2);
      proxy.cut(FOLLOW);
      await expect.poll(() => proxy.requests(FOLLOW).length, SOON).toBe(2);
      expect((await readToEnd(client)).at(-1)?.type).toBe('run.succeeded');
      expect(gateway.sandbox.starts({ kind, workflow: 'cut-twice.deltas-20.runs-3000' })).toHaveLength(1);
    }));

  it.each([400, 1_500])('tells the end, after %d ms, before the next poll would have', (ms) =>
    recorded(
      kind,
      {},
      async ({ own, proxy }) => {
        const client = listen(own, kind, `hinted.deltas-3.runs-${ms}`);
        expect((await readToEnd(client)).at(-1)?.type).toBe('run.succeeded');
        // One when the stream is opened; another when it says that something has changed.
        expect(proxy.requests(POLL).length).toBeLessThanOrEqual(3);
      },
      SLOW_KINDS,
    ),
  );

  it.each(['stalls-0', 'stalls-2'])('that %s is no reason to wait for more: the run is polled as ever', (fault) =>
    recorded(kind, {}, async ({ own, proxy }) => {
      const client = listen(own, kind, `${fault}.runs-700`);
      const begunAt = performance.now();
      expect((await readToEnd(client)).at(-1)?.type).toBe('run.succeeded');
      // A silent stream is given up after 30 s.
      expect(performance.now() - begunAt).toBeLessThan(20_000);
      await expect.poll(() => open(proxy), SOON).toBe(0);
    }),
  );

  it('ends with a run that is cancelled', async () => {
    const client = listen(gateway, kind, 'cancelled-beside.deltas-600.runs-60000');
    await client.until(() => seenBy(client).some(({ data }) => data.name === 'node.completed'));
    const id = await runIdOf(client);
    expect(await gateway.cancel(id)).toMatchObject({ status: 202, body: { status: 'cancelling' } });
    await client.whole();
    expect(types(client).slice(-1)).toEqual(['run.cancelled']);
    expect(types(client)).toContain('run.cancelling');
    expect(seenBy(client).at(-1)?.data.run).toMatchObject({ status: 'cancelled', upstream: { stopped: true } });
  });

  it('goes on behind a cancel that the vendor refuses', async () => {
    const client = listen(gateway, kind, 'uncancellable.deltas-20.runs-2000');
    await client.until(() => seenBy(client).some(({ data }) => data.name === 'node.completed'));
    expect((await gateway.cancel(await runIdOf(client))).status).toBe(202);
    await client.whole();
    expect(types(client).filter((type) => /cancelling|resumed|succeeded/.test(type))).toEqual([
      'run.cancelling',
      'run.resumed',
      'run.succeeded',
    ]);
  });

  it('tells that the run waits, and that it has gone on', async () => {
    const client = listen(gateway, kind, 'waits-800.runs-300');
    expect((await untilType(client, 'run.waiting')).data.waiting).toMatchObject({ for: 'resume' });
    const events = await readToEnd(client);
    expect(events.at(-1)?.type).toBe('run.succeeded');
    expect(events.filter(({ type }) => type === 'run.waiting')).toHaveLength(1);
  });
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { pause, systemClock } from '../../../src/core/clock.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { allAtOnce, type InTurn } from '../../support/all-at-once.ts';
import { startCountingProxy, type CountingProxy } from '../../support/counting-proxy.ts';
import { startTestGateway, vendorOf, type Answered, type TestGateway } from '../../support/gateway.ts';
import { cancelEnd, ERRORS, QUICK_KINDS, type CancelEnd } from './contract-table.ts';
import { faultsOfKinds, nameOf, type FaultOfKind } from './faults-of-kinds.ts';

interface Case extends FaultOfKind {
  end: CancelEnd;
}

const HANGING_CANCEL_MS = 30_000;
/** Much longer than a run needs from its start to its cancel, and so is `LASTING`. */
const DEADLINE_S = 8;
/** For a run that is to be still there when its cancel comes, and then to end by itself. */
const LASTING = 'runs-6000';

const faults = faultsOfKinds('cancel');
const cases: Case[] = faults.flatMap(({ kind, workflow }): Case[] => {
  const status = /^cancel-status-(\d+)/.exec(workflow)?.[1];
  if (status !== undefined) {
    const end = cancelEnd(Number(status));
    const whole = end === 'returns' ? `${workflow}.${LASTING}` : workflow;
    return [{ kind, workflow: whole, end }];
  }
  if (workflow === 'uncancellable') return [{ kind, workflow: `${workflow}.${LASTING}`, end: 'returns' }];
  return [{ kind, workflow, end: 'is cancelled' }];
});
const results = allAtOnce(cases, nameOf, cancelRunning);
const cancellable = PROVIDER_KINDS.filter(({ cancel }) => cancel !== undefined);
const others = PROVIDER_KINDS.filter(({ cancel }) => cancel === undefined);
let gateway: TestGateway;
const proxies: Record<string, CountingProxy> = {};

/** The provider of a kind behind a proxy that counts connections. */
const counted = (kind: string) => `${kind}-counted`;

beforeAll(async () => {
  gateway = await startTestGateway({ kinds: QUICK_KINDS });
  results.begin();
});
afterAll(async () => {
  await gateway.stop();
  for (const proxy of Object.values(proxies)) await proxy.close();
});

/** A run that the vendor has named, and then the wish to cancel it. */
async function cancelRunning(
  { kind: { kind }, workflow, end }: Case,
  inTurn: InTurn,
): Promise<{ answer: Answered; ended: Answered['body'] }> {
  const timeout = end === 'is asked until the deadline' ? { timeout_s: DEADLINE_S } : {};
  const { id, answer } = await inTurn(async () => {
    const begun = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, workflow), ...timeout });
    await gateway.until(begun, ({ upstream }) => upstream.run_id !== null);
    return { id: begun, answer: await gateway.cancel(begun) };
  });
  return { answer, ended: await gateway.end(id) };
}

describe('the table of special workflow ids', () => {
  it('has damaged cancels for every kind that can be asked', () => {
    for (const kind of PROVIDER_KINDS) {
      const own = faults.filter((fault) => fault.kind === kind).length;
      expect({ kind: kind.kind, faults: own > 40 }).toEqual({ kind: kind.kind, faults: kind.cancel !== undefined });
    }
  });
});

describe.each(cases)('a cancel at $kind.kind', (one) => {
  it(
    `${one.workflow}: the run ${one.end}`,
    async () => {
      const { answer, ended } = await results.resultOf(nameOf(one));
      expect([answer.status, answer.body.status]).toEqual([202, 'cancelling']);
      expect(gateway.sandbox.starts({ kind: one.kind.kind, workflow: one.workflow })).toHaveLength(1);
      switch (one.end) {
        case 'returns':
          return expect(ended).toMatchObject({ status: 'succeeded', error: null, upstream: { stopped: false } });
        case 'is cancelled':
          return expect(ended).toMatchObject({ status: 'cancelled', error: null });
        case 'is asked until the deadline':
          return expect(ended).toMatchObject({ status: expect.stringMatching(/^(timed_out|cancelled)$/) });
      }
    },
    HANGING_CANCEL_MS,
  );
});

describe.each(cancellable)('cancelling at $kind, which can be asked', ({ kind }) => {
  it('stops the run at the vendor', async () => {
    const id = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, 'runs-60000') });
    await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
    expect(await gateway.cancel(id)).toMatchObject({ status: 202, body: { status: 'cancelling', finished_at: null } });
    const ended = await gateway.end(id);
    expect(ended).toMatchObject({ status: 'cancelled', error: null, output: null, upstream: { stopped: true } });
  });

  it.each(['status-500', 'status-401', 'status-404', 'cut-before-headers'])(
    'does not lose what the run comes to while every cancel fails (%s)',
    async (fault) => {
      const workflow = gateway.workflowId(kind, `runs-2000.cancel-${fault}-forever`);
      const id = await gateway.begin({ provider: kind, workflow });
      await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
      expect(await gateway.cancel(id)).toMatchObject({ status: 202, body: { status: 'cancelling' } });
      expect(await gateway.end(id)).toMatchObject({ status: expect.stringMatching(/^(succeeded|cancelled)$/) });
    },
  );

  it('returns a run whose cancel is refused to its state, until it ends', async () => {
    const id = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, 'uncancellable.runs-2000') });
    await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
    expect(await gateway.cancel(id)).toMatchObject({ status: 202, body: { status: 'cancelling' } });
    await gateway.until(id, ({ status }) => status === 'running');
    expect(await gateway.end(id)).toMatchObject({ status: 'succeeded', upstream: { stopped: false } });
  });

  it('cancels a run whose start is still under way as soon as the vendor knows it', async () => {
    const workflow = 'slow-800.runs-60000';
    const id = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, workflow) });
    await expect.poll(() => gateway.sandbox.starts({ kind, workflow })).toHaveLength(1);
    const answer = await gateway.cancel(id);
    expect(answer.body.status).toMatch(/^cancell/);
    expect(await gateway.end(id)).toMatchObject({ status: 'cancelled' });
  });

  it('cancels a waiting run', async () => {
    if (!vendorOf(gateway.sandbox, kind).faults.some(({ needs }) => needs === 'waiting')) return;
    const { status, body } = await gateway.post('/runs', {
      provider: kind,
      workflow: gateway.workflowId(kind, 'waits'),
    });
    expect([status, body.status]).toEqual([200, 'waiting']);
    expect(await gateway.cancel(body.id)).toMatchObject({ status: 202, body: { status: 'cancelling' } });
    expect(await gateway.end(body.id)).toMatchObject({
      status: 'cancelled',
      waiting: null,
      upstream: { stopped: true },
    });
  });
});

describe.each(others)('cancelling at $kind, which cannot be asked', ({ kind, poll }) => {
  const LATE_MS = 1_500;

  it('ends the run here and drops a late result', async () => {
    const id = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, `runs-${LATE_MS}`) });
    await expect.poll(() => gateway.sandbox.starts({ kind, workflow: `runs-${LATE_MS}` })).toHaveLength(1);
    if (poll !== undefined) await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
    const { status, body } = await gateway.cancel(id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'cancelled', error: null, output: null, upstream: { stopped: false } });
    // Nothing may happen, so there is nothing to wait for but time.
    await pause(systemClock, LATE_MS + 300);
    expect((await gateway.get(`/runs/${id}`)).body).toEqual(body);
  });
});

describe.each(PROVIDER_KINDS)('cancelling at $kind', ({ kind, lookup }) => {
  it('closes the connection of a start that the vendor has not answered', async () => {
    const proxy = await startCountingProxy(vendorOf(gateway.sandbox, kind).origin);
    proxies[kind] = proxy;
    const own = await startTestGateway({
      environment: { RUNGATE_DRAIN_TIMEOUT_S: '0' },
      providers: (sandbox) => ({ [counted(kind)]: behind(proxy, kind, vendorOf(sandbox, kind).baseUrl) }),
    });
    // The proxy leads to the first gateway's vendors, where the start is to be seen.
    const workflow = 'slow-60000';
    try {
      const known = gateway.workflowId(kind, workflow);
      const id = await own.begin({ provider: counted(kind), workflow: known, timeout_s: 60 });
      await expect.poll(() => gateway.sandbox.starts({ kind, workflow })).toHaveLength(1);
      expect(proxy.open()).toBe(1);
      const { status, body } = await own.cancel(id);
      // By our own id the vendor can be asked already.
      if (lookup !== undefined) return expect([status, body.status]).toEqual([202, 'cancelling']);
      expect([status, body.status, body.upstream.stopped]).toEqual([200, 'cancelled', false]);
      await expect.poll(() => proxy.open()).toBe(0);
    } finally {
      await own.stop();
    }
  });

  it('changes nothing about a run that has ended', async () => {
    const { body } = await gateway.post('/runs', { provider: kind, workflow: gateway.workflowId(kind, 'runs-0') });
    const { status, body: again } = await gateway.cancel(body.id);
    expect(status).toBe(200);
    expect(again).toEqual(body);
  });
});

describe('a run in the queue', () => {
  let narrow: TestGateway;
  let holder: string;

  beforeAll(async () => {
    narrow = await startTestGateway({ environment: { RUNGATE_STARTS_MAX: '1' } });
    holder = await hold();
  });
  afterAll(() => narrow.stop());

  /** A start that keeps the one place taken. */
  async function hold(): Promise<string> {
    const provider = others[0]?.kind ?? '';
    const id = await narrow.begin({ provider, workflow: narrow.workflowId(provider, 'slow-60000') });
    await vi.waitFor(() => expect(narrow.sandbox.starts({ workflow: 'slow-60000' })).toHaveLength(1));
    return id;
  }

  it.each(PROVIDER_KINDS)('for $kind is cancelled without a call', async ({ kind }) => {
    const workflow = 'cancelled-in-the-queue';
    const { body: queued } = await narrow.post(
      '/runs',
      { provider: kind, workflow: narrow.workflowId(kind, workflow) },
      { prefer: 'wait=0' },
    );
    expect(queued).toMatchObject({ status: 'queued', started_at: null, attempts: [] });
    const { status, body } = await narrow.cancel(queued.id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'cancelled', started_at: null, attempts: [], error: null });
    expect(narrow.sandbox.starts({ kind, workflow })).toEqual([]);
  });

  it.each(PROVIDER_KINDS)('for $kind ends at its deadline without a call', async ({ kind }) => {
    const workflow = 'late-in-the-queue';
    const { status, body } = await narrow.post('/runs', {
      provider: kind,
      workflow: narrow.workflowId(kind, workflow),
      timeout_s: 1,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'timed_out', started_at: null, error: { code: 'run_timed_out' } });
    expect(body.error).toMatchObject(ERRORS.run_timed_out);
    expect(narrow.sandbox.starts({ kind, workflow })).toEqual([]);
  });

  it('never has company: however many come together, there are no more starts than places', async () => {
    const together = Array.from({ length: 12 }, (_, i) => {
      const provider = PROVIDER_KINDS[i % PROVIDER_KINDS.length]?.kind ?? '';
      return narrow.begin({ provider, workflow: narrow.workflowId(provider, 'slow-150.together') });
    });
    const ids = await Promise.all(together);
    // Longer than a look for a place takes.
    await pause(systemClock, 1_000);
    expect(narrow.sandbox.starts({ workflow: 'slow-150.together' })).toEqual([]);
    for (const id of ids) expect((await narrow.cancel(id)).body.status).toBe('cancelled');
  });

  it('begins when there is room, each once and one after the other', async () => {
    const ids = await Promise.all(
      PROVIDER_KINDS.map(({ kind }) =>
        narrow.begin({ provider: kind, workflow: narrow.workflowId(kind, 'slow-150.from-the-queue') }),
      ),
    );
    await narrow.cancel(holder);
    for (const id of ids) expect(await narrow.end(id)).toMatchObject({ status: 'succeeded' });
    const times = narrow.sandbox.starts({ workflow: 'slow-150.from-the-queue' }).map(({ at }) => Date.parse(at));
    expect(times).toHaveLength(PROVIDER_KINDS.length);
    for (const [i, time] of times.slice(1).entries()) expect(time - times[i]!).toBeGreaterThanOrEqual(140);
    expect(narrow.complaints).toEqual([]);
  });
});

describe('the gateway', () => {
  it(
    'makes no mistake of its own in all this',
    async () => {
      await Promise.allSettled(cases.map((one) => results.resultOf(nameOf(one))));
      expect(gateway.complaints).toEqual([]);
    },
    HANGING_CANCEL_MS,
  );
});

function behind({ origin }: CountingProxy, kind: string, baseUrl: string) {
  return { kind, baseUrl: origin + new URL(baseUrl).pathname.replace(/\/$/, '') };
}

import { afterEach, describe, expect, it } from 'vitest';
import type { RunId } from '../../../src/core/ids.ts';
import type { AnyProviderKind } from '../../../src/providers/define-provider.ts';
import { startTestGateway, vendorOf, type Client, type TestGateway, type TestProvider } from '../../support/gateway.ts';
import { mostAtOnce, startScriptedVendor, type ScriptedVendor } from '../../support/scripted-vendor.ts';
import { stopCleanly } from '../../support/stop-cleanly.ts';
import { QUICK_KINDS } from '../vendors/contract-table.ts';

const KIND = 'ai-tutor';
const SECRETS = ['the-first-secret', 'the-second-secret'] as const;
/** A minute, and what a start may be on its way. */
const WINDOW_S = 61;
const notHeld = { prefer: 'respond-async' };
/** Long enough for several turns of the sweep. */
const A_WHILE_MS = 1_000;

/** Its documents say what `x-ratelimit-reset` means. */
const TELLING: AnyProviderKind = {
  ...QUICK_KINDS.find(({ kind }) => kind === KIND)!,
  kind: 'telling',
  rateLimitReset: 'delta_s',
};

let gateway: TestGateway;
let vendor: ScriptedVendor;
/** The kind of the simulated vendor behind it. */
let simulated: string;

/** One provider, `paced`, with these limits. */
async function up(limits: object, more: Partial<TestProvider> = {}, environment: Record<string, string> = {}) {
  gateway = await startTestGateway({
    kinds: [...QUICK_KINDS, TELLING],
    environment,
    async providers(sandbox) {
      const { kind = KIND } = more;
      simulated = kind === TELLING.kind ? KIND : kind;
      vendor = await startScriptedVendor(vendorOf(sandbox, simulated), { secrets: SECRETS });
      return { paced: { kind, baseUrl: vendor.baseUrl, limits, secrets: SECRETS.slice(0, 1), ...more } };
    },
  });
}

afterEach(async () => {
  await stopCleanly(gateway, [vendor]);
});

const aWhile = () => new Promise((resolve) => setTimeout(resolve, A_WHILE_MS));

function begin(workflow: string, client: Client = gateway) {
  return client.begin({ provider: 'paced', workflow: gateway.workflowId(simulated, workflow) });
}

/** The vendor's workflows in the order of their starts. */
const startedInOrder = () => vendor.starts().map(({ line }) => line.split('/').at(-1));

async function statusesOf(ids: readonly string[]): Promise<string[]> {
  return Promise.all(ids.map(async (id) => (await gateway.get(`/runs/${id}`)).body.status));
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('requests a minute', () => {
  it('let that many leave in order, keep the rest queued, and are remembered over a restart', async () => {
    await up({ requests_per_minute: 10 });
    const ids: string[] = [];
    for (const i of numbers(13)) ids.push(await begin(`runs-0.number-${i}`));
    for (const id of ids.slice(0, 10)) expect(await gateway.end(id)).toMatchObject({ status: 'succeeded' });
    await aWhile();
    expect(new Set(startedInOrder())).toEqual(new Set(numbers(10).map((i) => `runs-0.number-${i}`)));
    expect(vendor.starts()).toHaveLength(10);
    expect(await statusesOf(ids.slice(10))).toEqual(['queued', 'queued', 'queued']);
    await gateway.shutDown();
    await gateway.startUp();
    const late = await begin('runs-0.late');
    await aWhile();
    expect(vendor.starts()).toHaveLength(10);
    expect(await statusesOf([...ids.slice(10), late])).toEqual(numbers(4).map(() => 'queued'));
    const counted = await gateway.command(({ store }) => store.runs.recentStarts(Date.now() - WINDOW_S * 1_000));
    expect(counted).toHaveLength(10);
  });

  it('are never more, however many runs are wanted in one moment', async () => {
    await up({ requests_per_minute: 10 });
    const ids = await Promise.all(numbers(30).map((i) => begin(`runs-0.number-${i}`)));
    await aWhile();
    expect(vendor.starts()).toHaveLength(10);
    const statuses = await statusesOf(ids);
    expect(statuses.filter((status) => status === 'queued')).toHaveLength(20);
  });

  it('count for each credential by itself', async () => {
    await up({ per_credential: { requests_per_minute: 3 } }, { secrets: SECRETS });
    const ids = await Promise.all(numbers(8).map((i) => begin(`runs-0.number-${i}`)));
    await aWhile();
    for (const secret of SECRETS) expect(vendor.starts(secret)).toHaveLength(3);
    expect((await statusesOf(ids)).filter((status) => status === 'queued')).toHaveLength(2);
  });

  it('refuse at once what they would let leave only after its deadline, and use no key up', async () => {
    await up({ requests_per_minute: 1 });
    await gateway.end(await begin('runs-0'));
    const body = { provider: 'paced', workflow: 'runs-0' };
    const headers = { ...notHeld, 'idempotency-key': 'once' };
    const { status, body: refused, headers: sent } = await gateway.post('/runs', { ...body, timeout_s: 5 }, headers);
    expect(status).toBe(429);
    expect(refused.error).toMatchObject({
      code: 'upstream_rate_limited',
      source: 'gateway',
      retryable: true,
      run_id: null,
    });
    expect(Number(sent.get('retry-after'))).toBeGreaterThan(WINDOW_S - 10);
    expect(Number(sent.get('retry-after'))).toBeLessThanOrEqual(WINDOW_S);
    const patient = await gateway.post('/runs', { ...body, timeout_s: 90 }, headers);
    expect(patient).toMatchObject({ status: 202, body: { status: 'queued' } });
    // Behind that one, another minute is too late too.
    expect(await gateway.post('/runs', { ...body, timeout_s: 90 }, notHeld)).toMatchObject({ status: 429 });
    expect(vendor.starts()).toHaveLength(1);
  });
});

describe('concurrency', () => {
  it('is never more, and lets runs leave in the order in which they came', async () => {
    await up({ concurrency: 2 });
    const ids: string[] = [];
    for (const i of numbers(8)) ids.push(await begin(`slow-150.runs-0.number-${i}`));
    for (const id of ids) expect(await gateway.end(id)).toMatchObject({ status: 'succeeded' });
    expect(mostAtOnce(vendor.starts())).toBe(2);
    const places = startedInOrder().map((workflow) => Number(workflow?.split('-').at(-1)));
    // Two that leave in one moment may arrive in either order.
    for (const [i, place] of places.entries()) expect(Math.abs(i - place)).toBeLessThan(2);
  });

  it('holds for each credential by itself', async () => {
    await up({ per_credential: { concurrency: 1 } }, { secrets: SECRETS });
    const ids = await Promise.all(numbers(8).map((i) => begin(`slow-150.runs-0.number-${i}`)));
    for (const id of ids) expect(await gateway.end(id)).toMatchObject({ status: 'succeeded' });
    for (const secret of SECRETS) expect(mostAtOnce(vendor.starts(secret))).toBe(1);
    expect(mostAtOnce(vendor.starts())).toBe(2);
  });

  it('keeps a run that one credential was refused for until the other one has room', async () => {
    await up({ per_credential: { concurrency: 1 } }, { secrets: SECRETS });
    const first = await begin('slow-1200.runs-0.first');
    await expect.poll(() => vendor.starts()).toHaveLength(1);
    const busy = vendor.starts()[0]?.secret ?? '';
    vendor.script = ({ secret, isStart }) => (isStart && secret !== busy ? { status: 403 } : 'works');
    const second = await gateway.end(await begin('runs-0.second'));
    expect(second).toMatchObject({ status: 'succeeded', error: null });
    // oxlint-disable-next-line typescript/no-explicit-any -- a run of the API
    expect(second.attempts.map(({ error_code }: any) => error_code)).toEqual(['upstream_forbidden', null]);
    expect(vendor.starts(busy)).toHaveLength(2);
    expect(await gateway.end(first)).toMatchObject({ status: 'succeeded' });
  });

  it('begins a run with the credential that was limited, once it has rested, where the other one is still busy', async () => {
    await up({ per_credential: { concurrency: 1 } }, { secrets: SECRETS });
    const first = await begin('slow-3000.runs-0.first');
    await expect.poll(() => vendor.starts()).toHaveLength(1);
    const busy = vendor.starts()[0]?.secret ?? '';
    let limits = 1;
    vendor.script = ({ secret, isStart }) =>
      isStart && secret !== busy && limits-- > 0 ? { status: 429, headers: { 'retry-after': '1' } } : 'works';
    const second = await gateway.end(await begin('runs-0.second'));
    expect(second).toMatchObject({ status: 'succeeded', error: null });
    // oxlint-disable-next-line typescript/no-explicit-any -- a run of the API
    expect(second.attempts.map(({ error_code }: any) => error_code)).toEqual(['upstream_rate_limited', null]);
    expect(vendor.starts(busy)).toHaveLength(1);
    expect(await gateway.end(first)).toMatchObject({ status: 'succeeded' });
  });

  it('lets keys take turns, however many runs one of them has queued', async () => {
    await up({ concurrency: 1 });
    const other = await gateway.client('runs', 'other');
    // While the first one has the only place, all others come.
    const flood = [await begin('slow-2000.runs-0.flood')];
    for (const i of numbers(9)) flood.push(await begin(`runs-0.flood-${i}`));
    const few: string[] = [];
    for (const i of numbers(3)) few.push(await begin(`runs-0.other-${i}`, other));
    for (const id of few) await other.end(id);
    const order = startedInOrder().map((workflow) => (workflow?.includes('other') ? 'other' : 'flood'));
    const first = order.indexOf('other');
    expect(first).toBeLessThanOrEqual(2);
    expect(order.slice(first, first + 5)).toEqual(['other', 'flood', 'other', 'flood', 'other']);
    for (const id of flood) expect(await gateway.end(id)).toMatchObject({ status: 'succeeded' });
    expect(mostAtOnce(vendor.starts())).toBe(1);
  });

  it('counts the runs that an earlier process began', async () => {
    await up({ concurrency: 2 }, { kind: 'interactly' });
    const ids: string[] = [];
    for (const i of numbers(5)) ids.push(await begin(`runs-1500.number-${i}`));
    await expect.poll(() => vendor.starts()).toHaveLength(2);
    await gateway.shutDown();
    await gateway.startUp();
    await aWhile();
    const ended = await Promise.all(ids.map((id) => gateway.end(id)));
    expect(ended.map(({ status }) => status)).toEqual(ids.map(() => 'succeeded'));
    expect(vendor.starts()).toHaveLength(ids.length);
    const spans = ended.map((run) => [Date.parse(run.started_at), Date.parse(run.finished_at)] as const);
    for (const [at] of spans) expect(spans.filter(([from, to]) => from <= at && at < to).length).toBeLessThanOrEqual(2);
  });

  it('forgets a run that a command beside the server has ended', async () => {
    await up({ concurrency: 1 }, { kind: 'draft-and-goal' });
    const endless = await begin('runs-60000');
    await gateway.until(endless, ({ upstream }) => upstream.run_id !== null);
    const queued = await begin('runs-0');
    await aWhile();
    expect(await statusesOf([endless, queued])).toEqual(['running', 'queued']);
    await gateway.command(({ runs }) => runs.cancel(endless as RunId));
    expect(await gateway.end(queued)).toMatchObject({ status: 'succeeded' });
  });

  it('leaves out runs that wait for somebody', async () => {
    await up({ concurrency: 1 }, { kind: 'interactly' });
    const asking = await begin('asks');
    await gateway.until(asking, ({ status }) => status === 'waiting');
    expect(await gateway.end(await begin('runs-0'))).toMatchObject({ status: 'succeeded' });
    expect((await gateway.get(`/runs/${asking}`)).body.status).toBe('waiting');
  });
});

describe('the queue', () => {
  it('is bounded: half of it for one key, all of it for everyone, then 503', async () => {
    await up({ concurrency: 1 }, {}, { RUNGATE_QUEUED_MAX: '4' });
    await begin('slow-60000');
    const request = { provider: 'paced', workflow: 'runs-0' };
    async function fill(client: Client): Promise<void> {
      for (const _ of numbers(2)) await begin('runs-0', client);
      const { status, body, headers } = await client.post('/runs', request, notHeld);
      expect([status, body.error.code]).toEqual([503, 'overloaded']);
      expect(headers.get('retry-after')).toMatch(/^\d+$/);
      expect(body.error.run_id).toBeNull();
    }
    await fill(gateway);
    await fill(await gateway.client('runs', 'second'));
    const third = await gateway.client('runs', 'third');
    expect(await third.post('/runs', request, notHeld)).toMatchObject({ status: 503 });
    expect(vendor.starts()).toHaveLength(1);
  });

  it('keeps to a key’s half, however many of its runs come in one moment', async () => {
    await up({ concurrency: 1 }, {}, { RUNGATE_QUEUED_MAX: '20' });
    await begin('slow-60000');
    const request = { provider: 'paced', workflow: 'runs-0' };
    const answers = await Promise.all(numbers(40).map(() => gateway.post('/runs', request, notHeld)));
    const taken = answers.filter(({ status }) => status === 202);
    expect(taken.length).toBeLessThanOrEqual(10);
    expect(taken.length).toBeGreaterThan(0);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202, 503]));
  });

  it('is left by a cancelled run, which the vendor never sees', async () => {
    await up({ concurrency: 1 }, {}, { RUNGATE_QUEUED_MAX: '2' });
    await begin('slow-400.runs-0');
    const queued = await begin('runs-0.cancelled');
    expect(await gateway.cancel(queued)).toMatchObject({ status: 200, body: { status: 'cancelled', attempts: [] } });
    // Its place is free again as soon as the queue is looked at.
    await expect
      .poll(
        () =>
          begin('runs-0.after').then(
            () => true,
            () => false,
          ),
        { timeout: 5_000 },
      )
      .toBe(true);
    await expect.poll(startedInOrder).toContain('runs-0.after');
    expect(startedInOrder()).not.toContain('runs-0.cancelled');
  });

  it('holds runs while the vendor says that nothing is left, and lets them go after its reset', async () => {
    await up({}, { kind: TELLING.kind });
    const left = { 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' };
    vendor.script = ({ isStart }) =>
      isStart && vendor.starts().length === 1
        ? (_call, response) =>
            void response
              .writeHead(200, { 'content-type': 'application/json', ...left })
              .end('{"success":true,"result":"first"}')
        : 'works';
    await gateway.end(await begin('any'));
    const second = await begin('runs-0');
    expect((await gateway.get(`/runs/${second}`)).body.status).toBe('queued');
    expect(await gateway.end(second)).toMatchObject({ status: 'succeeded' });
    const [first, later] = vendor.starts();
    expect(later!.at - first!.at).toBeGreaterThan(1_000);
    expect(later!.at - first!.at).toBeLessThan(5_000);
  });
});

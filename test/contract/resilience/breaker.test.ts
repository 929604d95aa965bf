import { afterEach, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { readExposition, valueOf } from '../../support/exposition.ts';
import { startTestGateway, vendorOf, type TestGateway, type TestProvider } from '../../support/gateway.ts';
import { startScriptedVendor, type ScriptedVendor } from '../../support/scripted-vendor.ts';
import { stopCleanly } from '../../support/stop-cleanly.ts';
import { QUICK_KINDS } from '../vendors/contract-table.ts';

const SECRETS = ['the-first-secret', 'the-second-secret'] as const;
const CALLS_MIN = 6;
const BREAKER = {
  RUNGATE_BREAKER_CALLS_MIN: String(CALLS_MIN),
  RUNGATE_BREAKER_FAILURE_PERCENT: '50',
  RUNGATE_BREAKER_OPEN_S: '1',
};
const FIRST = PROVIDER_KINDS[0]?.kind ?? '';
const LAST = PROVIDER_KINDS.at(-1)?.kind ?? '';
/** An id that every kind takes. */
const ORDINARY = 'ab'.repeat(12);

let gateway: TestGateway;
const vendors = new Map<string, ScriptedVendor>();

/** A provider for each kind, under its name. */
async function up(more: Partial<TestProvider> = {}, environment: Record<string, string> = BREAKER, workflows = {}) {
  gateway = await startTestGateway({
    kinds: QUICK_KINDS,
    environment,
    workflows,
    async providers(sandbox) {
      const providers: Record<string, TestProvider> = {};
      for (const { kind } of PROVIDER_KINDS) {
        const vendor = await startScriptedVendor(vendorOf(sandbox, kind), { secrets: SECRETS });
        vendors.set(kind, vendor);
        providers[kind] = { kind, baseUrl: vendor.baseUrl, secrets: [SECRETS[0]], ...more };
      }
      return providers;
    },
  });
}

afterEach(async () => {
  await stopCleanly(gateway, [...vendors.values()]);
  vendors.clear();
});

function start(kind: string, workflow = 'runs-0') {
  return gateway.post('/runs', { provider: kind, workflow: gateway.workflowId(kind, workflow) });
}

async function startTimes(kind: string, times: number): Promise<number[]> {
  const statuses = [];
  for (let i = 0; i < times; i++) statuses.push((await start(kind)).status);
  return statuses;
}

async function breakerOf(name: string): Promise<string> {
  const { data } = (await gateway.get('/providers')).body;
  return data.find((one: { name: string }) => one.name === name).breaker;
}

/** Scrapes that come together share one text, so it may be from a moment ago: to be polled beside others who scrape. */
async function metric(name: string, labels: Record<string, string>): Promise<number | null> {
  const authorization = `Bearer ${await gateway.key('viewer')}`;
  const scrape = await fetch(`${gateway.adminUrl()}/metrics`, { headers: { authorization } });
  return valueOf(readExposition(await scrape.text()), name, labels);
}

const changes = () =>
  gateway.warnings.filter(({ message }) => message.includes('circuit breaker')).map(({ fields }) => fields);

function fail(kind: string, status = 500): ScriptedVendor {
  const vendor = vendors.get(kind)!;
  vendor.script = ({ isStart }) => (isStart ? { status } : 'works');
  return vendor;
}

describe('the circuit breaker', () => {
  it('opens at every kind by the share of failures, holds starts back, lets one probe through and closes', async () => {
    await up();
    await Promise.all(
      PROVIDER_KINDS.map(async ({ kind }) => {
        expect(await startTimes(kind, CALLS_MIN / 2)).toEqual([200, 200, 200]);
        const vendor = fail(kind);
        expect(await startTimes(kind, CALLS_MIN / 2)).toEqual([502, 502, 502]);
        expect(vendor.starts()).toHaveLength(CALLS_MIN);
        const lastFailedAt = vendor.starts().at(-1)!.at;
        const held = await start(kind);
        expect(held.status).toBe(503);
        expect(held.body.error).toMatchObject({
          code: 'upstream_unavailable',
          source: 'gateway',
          retryable: true,
          provider: kind,
          run_id: null,
        });
        expect(held.headers.get('retry-after')).toBe('1');
        expect(await breakerOf(kind)).toBe('open');
        await expect.poll(() => metric('rungate_breaker_state', { provider: kind })).toBe(2);
        expect(vendor.starts()).toHaveLength(CALLS_MIN);

        vendor.script = () => 'works';
        await expect.poll(() => breakerOf(kind), { timeout: 3_000 }).toBe('half_open');
        // The probe is under way while the others come.
        const answers = await Promise.all(Array.from({ length: 10 }, () => start(kind, 'slow-500.runs-0')));
        const statuses = answers.map(({ status }) => status);
        expect(statuses.filter((status) => status === 503)).toHaveLength(9);
        expect(statuses).toContain(200);
        expect(vendor.starts()).toHaveLength(CALLS_MIN + 1);
        expect(vendor.starts().at(-1)!.at - lastFailedAt).toBeGreaterThan(1_000);
        expect(await breakerOf(kind)).toBe('closed');
        await expect.poll(() => metric('rungate_breaker_state', { provider: kind })).toBe(0);
        expect((await start(kind)).status).toBe(200);
        const states = changes().filter((change) => 'provider' in change && change.provider === kind);
        expect(states).toMatchObject([{ state: 'open' }, { state: 'half_open' }, { state: 'closed' }]);
      }),
    );
  });

  it('opens again, for longer, where the probe fails', async () => {
    await up();
    const vendor = fail(FIRST, 503);
    await startTimes(FIRST, CALLS_MIN);
    expect((await start(FIRST)).body.error.source).toBe('gateway');
    await expect.poll(() => breakerOf(FIRST), { timeout: 3_000 }).toBe('half_open');
    expect((await start(FIRST)).body.error.source).toBe('upstream');
    expect((await start(FIRST)).headers.get('retry-after')).toBe('2');
    expect(vendor.starts()).toHaveLength(CALLS_MIN + 1);
  });

  it.each([400, 404, 403, 409])('takes %i for the word of a vendor that works', async (status) => {
    await up();
    const vendor = fail(FIRST, status);
    await startTimes(FIRST, CALLS_MIN * 2);
    expect(await breakerOf(FIRST)).toBe('closed');
    expect(vendor.starts()).toHaveLength(CALLS_MIN * 2);
  });

  it('opens for the credential that fails, and the other one takes the runs', async () => {
    await up({ secrets: SECRETS });
    const vendor = vendors.get(FIRST)!;
    vendor.script = ({ isStart, secret }) => (isStart && secret === SECRETS[0] ? { status: 500 } : 'works');
    await startTimes(FIRST, CALLS_MIN * 4);
    expect(changes()).toMatchObject([{ provider: FIRST, state: 'open' }]);
    const failed = vendor.starts(SECRETS[0]).length;
    expect(await startTimes(FIRST, 6)).toEqual(Array.from({ length: 6 }, () => 200));
    expect(vendor.starts(SECRETS[0])).toHaveLength(failed);
    expect(await breakerOf(FIRST)).toBe('open');
  });

  it('gives the run to a fallback while it is open', async () => {
    const fallbacks = [{ provider: LAST, workflow: ORDINARY }];
    await up({}, BREAKER, { guarded: { provider: FIRST, workflow: ORDINARY, fallbacks } });
    const vendor = fail(FIRST);
    await startTimes(FIRST, CALLS_MIN);
    const { body } = await gateway.post('/runs', { workflow: 'guarded' });
    expect(body).toMatchObject({ status: 'succeeded', provider: LAST, attempts: [{ provider: LAST }] });
    expect(vendor.starts()).toHaveLength(CALLS_MIN);
  });
});

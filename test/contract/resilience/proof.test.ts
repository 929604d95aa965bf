import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import type { AnyProviderKind } from '../../../src/providers/define-provider.ts';
import { startTestGateway, vendorOf, type TestGateway, type TestProvider } from '../../support/gateway.ts';
import { startScriptedVendor, type Behaviour, type ScriptedVendor } from '../../support/scripted-vendor.ts';
import { stopCleanly } from '../../support/stop-cleanly.ts';
import { QUICK_KINDS } from '../vendors/contract-table.ts';

const SECRETS = ['the-first-secret', 'the-second-secret'];
const ONE = 'ai-tutor';
const ELSEWHERE = 'elsewhere';
/** An id that every kind takes. */
const ORDINARY = 'ab'.repeat(12);
/** So that a kind that asks by our own id gives up asking. */
const TIMEOUT_S = 1;

/** Its documents say of no refusal that nothing began. */
const DOUBTFUL: AnyProviderKind = {
  ...QUICK_KINDS.find(({ kind }) => kind === ONE)!,
  kind: 'doubtful',
  notStarted: () => false,
};
const KINDS = [...PROVIDER_KINDS.map(({ kind }) => kind), DOUBTFUL.kind];

/** Answers, and their absence, after which a run may exist. */
const UNPROVEN: readonly { what: string; behaviour: Behaviour }[] = [
  ...[200, 204, 302, 400, 409, 422, 500, 502, 503, 529].map((status) => ({
    what: `HTTP ${status}`,
    behaviour: { status },
  })),
  { what: 'a broken connection', behaviour: (_call, response) => response.destroy() },
  {
    what: 'a broken answer',
    behaviour(_call, response) {
      response.writeHead(200, { 'content-length': '100' }).write('{', () => response.destroy());
    },
  },
  { what: 'silence', behaviour: () => undefined },
];

const vendors = new Map<string, ScriptedVendor>();
let elsewhere: ScriptedVendor;
let gateway: TestGateway;

beforeAll(async () => {
  const workflows: Record<string, object> = {};
  for (const kind of KINDS) {
    const fallbacks = [{ provider: ELSEWHERE, workflow: 'runs-0' }];
    workflows[`${kind}-first`] = { provider: `${kind}-pair`, workflow: ORDINARY, fallbacks };
  }
  gateway = await startTestGateway({
    kinds: [...QUICK_KINDS, DOUBTFUL],
    environment: { RUNGATE_RETRIES_MAX: '5', RUNGATE_RETRY_BUDGET_PERCENT: '100' },
    workflows,
    async providers(sandbox) {
      elsewhere = await startScriptedVendor(vendorOf(sandbox, ONE), { secrets: SECRETS });
      const providers: Record<string, TestProvider> = { [ELSEWHERE]: { kind: ONE, baseUrl: elsewhere.baseUrl } };
      for (const kind of KINDS) {
        const simulated = vendorOf(sandbox, kind === DOUBTFUL.kind ? ONE : kind);
        const vendor = await startScriptedVendor(simulated, { secrets: SECRETS });
        vendors.set(kind, vendor);
        const timeouts = { headers_s: 0.3, idle_s: 0.3 };
        providers[`${kind}-pair`] = { kind, baseUrl: vendor.baseUrl, secrets: SECRETS, timeouts };
        providers[`${kind}-single`] = { kind, baseUrl: vendor.baseUrl, secrets: SECRETS.slice(0, 1) };
      }
      return providers;
    },
  });
});
afterAll(async () => {
  await stopCleanly(gateway, [...vendors.values(), elsewhere]);
});

/** One run of the kind's registered workflow, and where its starts went. */
async function startsOf(kind: string, behaviour: Behaviour): Promise<{ here: number; there: number }> {
  const vendor = vendors.get(kind)!;
  vendor.script = ({ isStart }) => (isStart ? behaviour : { status: 404 });
  const before = { here: vendor.starts().length, there: elsewhere.starts().length };
  const { body } = await gateway.post('/runs', { workflow: `${kind}-first`, timeout_s: TIMEOUT_S });
  const run = await gateway.end(body.error?.run_id ?? body.id);
  expect(run.attempts).toHaveLength(vendor.starts().length - before.here + elsewhere.starts().length - before.there);
  return { here: vendor.starts().length - before.here, there: elsewhere.starts().length - before.there };
}

describe.each(UNPROVEN)('after $what', ({ behaviour }) => {
  it.each(KINDS)('a start of %s is sent nowhere again: no retry, no credential, no fallback', async (kind) => {
    expect(await startsOf(kind, behaviour)).toEqual({ here: 1, there: 0 });
  });
});

describe('a kind whose refusals prove nothing', () => {
  // The credentials that it refuses are set aside or rest all the same, for later runs.
  it.each([403, 404, 401, 402])('is asked once, and nobody else, where it says %i', async (status) => {
    const { here, there } = await startsOf(DOUBTFUL.kind, { status });
    expect(here + there).toBe(1);
  });
});

describe('where nothing else is left', () => {
  it.each([403, 404])('a start is refused with what the vendor said: %i', async (status) => {
    for (const { kind } of PROVIDER_KINDS) {
      vendors.get(kind)!.script = () => ({ status });
      const before = vendors.get(kind)!.starts().length;
      const request = { provider: `${kind}-single`, workflow: gateway.workflowId(kind, 'runs-0') };
      const { body } = await gateway.post('/runs', request);
      expect(body.error.code).toBe(status === 403 ? 'upstream_forbidden' : 'upstream_workflow_not_found');
      expect(vendors.get(kind)!.starts()).toHaveLength(before + 1);
    }
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineProvider, path, post, type AnyProviderKind } from '../../../src/providers/define-provider.ts';
import { startTestGateway, vendorOf, type TestGateway, type TestProvider } from '../../support/gateway.ts';
import { startScriptedVendor, type Behaviour, type ScriptedVendor } from '../../support/scripted-vendor.ts';
import { stopCleanly } from '../../support/stop-cleanly.ts';
import { QUICK_KINDS } from '../vendors/contract-table.ts';

const BASE = 'ai-tutor';
const SECRETS = ['the-first-secret', 'the-second-secret'];
const ELSEWHERE = 'elsewhere';

const usual: AnyProviderKind = QUICK_KINDS.find(({ kind }) => kind === BASE)!;

/** A vendor whose documents say that a start with an id that it knows begins nothing. */
const DEDUPLICATING: AnyProviderKind = defineProvider({
  ...usual,
  kind: 'deduplicating',
  repeat: 'client-run-id',
  start: {
    ...usual.start,
    request: ({ workflow, clientRunId }: { workflow: string; clientRunId: string }) =>
      post(path`/api/v1/run/${workflow}`, { id: clientRunId }),
  },
});

const UNKNOWN_FATES: readonly { what: string; code: string; behaviour: Behaviour }[] = [
  { what: 'HTTP 500', code: 'upstream_error', behaviour: { status: 500 } },
  { what: 'HTTP 502', code: 'upstream_error', behaviour: { status: 502 } },
  { what: 'HTTP 503', code: 'upstream_unavailable', behaviour: { status: 503 } },
  { what: 'HTTP 529', code: 'upstream_unavailable', behaviour: { status: 529 } },
  { what: 'silence', code: 'upstream_timeout', behaviour: () => undefined },
  {
    what: 'a broken connection',
    code: 'outcome_unknown',
    behaviour: (_call, response) => response.destroy(),
  },
  {
    what: 'a broken answer',
    code: 'outcome_unknown',
    behaviour: (_call, response) =>
      void response.writeHead(200, { 'content-length': '100' }).write('{', () => response.destroy()),
  },
];

let vendor: ScriptedVendor;
let elsewhere: ScriptedVendor;
let gateway: TestGateway;
/** Each test has a provider of its own, with credentials that no other has spoilt. */
let used = 0;
const PROVIDERS = 30;

beforeAll(async () => {
  const names = Array.from({ length: PROVIDERS }, (_, i) => `deduplicating-${i}`);
  const fallbacks = [{ provider: ELSEWHERE, workflow: 'runs-0' }];
  gateway = await startTestGateway({
    kinds: [...QUICK_KINDS, DEDUPLICATING],
    environment: { RUNGATE_RETRIES_MAX: '2', RUNGATE_RETRY_BUDGET_PERCENT: '100' },
    workflows: Object.fromEntries(names.map((name) => [name, { provider: name, workflow: 'runs-0', fallbacks }])),
    async providers(sandbox) {
      vendor = await startScriptedVendor(vendorOf(sandbox, BASE), { secrets: SECRETS });
      elsewhere = await startScriptedVendor(vendorOf(sandbox, BASE), { secrets: SECRETS });
      const timeouts = { headers_s: 0.3, idle_s: 0.3 };
      const provider: TestProvider = { kind: DEDUPLICATING.kind, baseUrl: vendor.baseUrl, secrets: SECRETS, timeouts };
      return {
        ...Object.fromEntries(names.map((name) => [name, provider])),
        [ELSEWHERE]: { kind: BASE, baseUrl: elsewhere.baseUrl },
      };
    },
  });
});
afterAll(async () => {
  await stopCleanly(gateway, [vendor, elsewhere]);
});

/** One run whose starts get these in turn, and then what the vendor gives. */
async function run(behaviours: readonly Behaviour[], headers: Record<string, string> = {}) {
  const before = vendor.starts().length;
  const workflow = `deduplicating-${used++}`;
  vendor.script = () => behaviours[vendor.starts().length - before - 1] ?? 'works';
  const answer = await gateway.post('/runs', { workflow, timeout_s: 20 }, headers);
  const id = answer.body.error?.run_id ?? answer.body.id;
  return { answer, workflow, run: (await gateway.get(`/runs/${id}`)).body, starts: vendor.starts().slice(before) };
}

describe('a vendor that tells copies of a start apart', () => {
  it.each(UNKNOWN_FATES)('is asked again after $what, with the same id and credential', async ({ code, behaviour }) => {
    const { run: ended, starts } = await run([behaviour]);
    expect(ended).toMatchObject({ status: 'succeeded', error: null });
    expect(ended.attempts).toMatchObject([{ error_code: code }, { error_code: null }]);
    expect(ended.attempts[1].credential).toBe(ended.attempts[0].credential);
    expect(starts.map(({ body }) => body)).toEqual(Array.from({ length: 2 }, () => JSON.stringify({ id: ended.id })));
    expect(new Set(starts.map(({ secret }) => secret)).size).toBe(1);
  });

  it('keeps its credential through every repetition', async () => {
    // By chance alone another one would come first in every second repetition.
    for (let i = 0; i < 6; i++) {
      const { starts } = await run([{ status: 500 }, { status: 503 }]);
      expect(starts).toHaveLength(3);
      expect(new Set(starts.map(({ secret }) => secret)).size).toBe(1);
    }
  });

  it('is given the time that it asks for', async () => {
    const { starts } = await run([{ status: 503, headers: { 'retry-after': '1' } }]);
    const [first, second] = starts;
    expect(second!.at - first!.at).toBeGreaterThan(950);
    expect(second!.at - first!.at).toBeLessThan(2_500);
  });

  it('is not waited for where its time lies behind the deadline', async () => {
    const { answer, starts } = await run([{ status: 503, headers: { 'retry-after': '60' } }]);
    expect(answer).toMatchObject({
      status: 503,
      body: { error: { code: 'upstream_unavailable', source: 'upstream' } },
    });
    expect(answer.headers.get('retry-after')).toMatch(/^(59|60)$/);
    expect(starts).toHaveLength(1);
  });

  it('is given up after RUNGATE_RETRIES_MAX repetitions, with its last error', async () => {
    const { answer, starts } = await run(Array.from({ length: 5 }, () => ({ status: 500 })));
    expect(answer).toMatchObject({ status: 502, body: { error: { code: 'upstream_error', retryable: false } } });
    expect(starts).toHaveLength(3);
  });

  it.each([400, 409, 422])('is not asked again after %i', async (status) => {
    const { starts } = await run([{ status }]);
    expect(starts).toHaveLength(1);
  });
});

describe('a start that was repeated, and is then refused', () => {
  it.each([401, 402, 403, 404, 429])(
    'ends as unknown after %i: the first one may have begun, so nobody else is asked',
    async (status) => {
      const before = elsewhere.starts().length;
      const key = { 'idempotency-key': `refused with ${status}` };
      const { answer, run: ended, starts, workflow } = await run([{ status: 500 }, { status }], key);
      expect(answer).toMatchObject({ status: 502, body: { error: { code: 'outcome_unknown', retryable: false } } });
      expect(ended.attempts).toHaveLength(2);
      expect(starts).toHaveLength(2);
      expect(elsewhere.starts()).toHaveLength(before);
      // The key is not given back: the same request is the same run.
      const again = await gateway.post('/runs', { workflow, timeout_s: 20 }, key);
      expect(again.body.error.run_id).toBe(ended.id);
      expect(vendor.starts().slice(-2)).toEqual(starts);
    },
  );
});

describe('a refusal at first', () => {
  it('is followed by another credential, and that start may be repeated too', async () => {
    const { run: ended, starts } = await run([{ status: 401 }, { status: 500 }]);
    expect(ended).toMatchObject({ status: 'succeeded' });
    const [refused, second, repeated] = starts.map(({ secret }) => secret);
    expect(second).not.toBe(refused);
    expect(repeated).toBe(second);
  });
});

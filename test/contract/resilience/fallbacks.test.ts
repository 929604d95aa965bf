import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { startTestGateway, vendorOf, type TestGateway, type TestProvider } from '../../support/gateway.ts';
import { freePort } from '../../support/free-port.ts';
import { startScriptedVendor, type Behaviour, type ScriptedVendor } from '../../support/scripted-vendor.ts';
import { stopCleanly } from '../../support/stop-cleanly.ts';
import { QUICK_KINDS } from '../vendors/contract-table.ts';

const FIRST_KIND = 'ai-tutor';
/** An id that every kind takes. */
const ORDINARY = 'ab'.repeat(12);

/** Refusals that a fallback is for, where the workflow does not say otherwise. */
const BY_DEFAULT: readonly { code: string; behaviour: Behaviour }[] = [
  { code: 'upstream_rate_limited', behaviour: { status: 429 } },
  { code: 'upstream_auth_failed', behaviour: { status: 401 } },
  { code: 'upstream_payment_required', behaviour: { status: 402 } },
];
const NOT_BY_DEFAULT: readonly { code: string; status: number }[] = [
  { code: 'upstream_forbidden', status: 403 },
  { code: 'upstream_workflow_not_found', status: 404 },
];
const SECRETS = ['the-first-secret', 'the-second-secret'];
const polled = PROVIDER_KINDS.filter(({ poll }) => poll !== undefined);
const cancellable = PROVIDER_KINDS.filter(({ poll, cancel }) => poll !== undefined && cancel !== undefined);

/** Behaves as each test wants; every provider of `first-…` is at it, with credentials of its own. */
let first: ScriptedVendor;
let second: ScriptedVendor;
let gateway: TestGateway;
let used = 0;
const FIRSTS = 40;

/** A workflow whose first provider nobody has used. */
const workflowOf = (form: string) => `${form}-${used++ % FIRSTS}`;

function workflows(): Record<string, object> {
  const last = { provider: 'last', workflow: 'runs-0' };
  const forms: Record<string, object> = {
    plain: { fallbacks: [{ provider: 'second', workflow: 'runs-0' }] },
    chain: { fallbacks: [{ provider: 'second', workflow: 'runs-0' }, last] },
    picky: { fallbacks: [{ provider: 'second', workflow: 'runs-0', when: ['upstream_rate_limited'] }, last] },
    wide: { fallbacks: [{ ...last, when: NOT_BY_DEFAULT.map(({ code }) => code) }] },
    pointless: { fallbacks: [{ provider: 'unreachable', workflow: 'any' }, last] },
    ...Object.fromEntries(
      polled.map(({ kind }) => [`to-${kind}`, { fallbacks: [{ provider: kind, workflow: ORDINARY }] }]),
    ),
    ...Object.fromEntries(
      cancellable.map(({ kind }) => [`long-${kind}`, { fallbacks: [{ provider: kind, workflow: LONG.get(kind) }] }]),
    ),
  };
  return Object.fromEntries(
    Object.entries(forms).flatMap(([form, rest]) =>
      Array.from({ length: FIRSTS }, (_, i) => [
        `${form}-${i}`,
        { provider: `first-${i}`, workflow: 'runs-0', ...rest },
      ]),
    ),
  );
}
/** The ids of workflows that run for a minute. */
const LONG = new Map<string, string>();

beforeAll(async () => {
  const environment: Record<string, string> = {};
  const registered: Record<string, object> = {};
  const port = await freePort();
  gateway = await startTestGateway({
    kinds: QUICK_KINDS,
    environment,
    workflows: registered,
    async providers(sandbox) {
      const vendor = vendorOf(sandbox, FIRST_KIND);
      for (const { kind } of cancellable) LONG.set(kind, vendorOf(sandbox, kind).workflowId('runs-60000'));
      Object.assign(registered, workflows(), {
        away: { provider: 'unreachable', workflow: 'any', fallbacks: [{ provider: 'last', workflow: 'runs-0' }] },
        beside: {
          provider: 'narrow',
          workflow: 'gone',
          fallbacks: [{ provider: 'narrow', workflow: 'runs-0', when: ['upstream_workflow_not_found'] }],
        },
        bare: { provider: 'bare', workflow: 'any', fallbacks: [{ provider: 'last', workflow: 'runs-0' }] },
      });
      first = await startScriptedVendor(vendor, { secrets: SECRETS });
      second = await startScriptedVendor(vendor, { secrets: SECRETS });
      const providers: Record<string, TestProvider> = {
        second: { kind: FIRST_KIND, baseUrl: second.baseUrl },
        last: { kind: FIRST_KIND, baseUrl: vendor.baseUrl },
        unreachable: { kind: FIRST_KIND, baseUrl: `http://127.0.0.1:${port}` },
        bare: { kind: FIRST_KIND, baseUrl: vendor.baseUrl, secret: null },
        narrow: { kind: FIRST_KIND, baseUrl: second.baseUrl, limits: { concurrency: 1 } },
      };
      for (let i = 0; i < FIRSTS; i++)
        providers[`first-${i}`] = { kind: FIRST_KIND, baseUrl: first.baseUrl, secrets: SECRETS };
      return providers;
    },
  });
});
afterAll(async () => {
  await stopCleanly(gateway, [first, second]);
});

const run = (workflow: string, more: object = {}) => gateway.post('/runs', { workflow, ...more });

function refuse(behaviour: Behaviour): void {
  first.script = ({ isStart }) => (isStart ? behaviour : 'works');
}

const attemptsOf = (body: { attempts: { provider: string; error_code: string | null }[] }) =>
  body.attempts.map(({ provider, error_code }) => [provider.replace(/-\d+$/, ''), error_code]);

describe('a fallback', () => {
  it('may be another workflow of a provider that has room for one run alone', async () => {
    second.script = ({ isStart, line }) => (isStart && line.endsWith('/gone') ? { status: 404 } : 'works');
    const { status, body } = await run('beside');
    expect([status, body.status]).toEqual([200, 'succeeded']);
    expect(attemptsOf(body)).toEqual([
      ['narrow', 'upstream_workflow_not_found'],
      ['narrow', null],
    ]);
  });

  it.each(BY_DEFAULT)('takes the run after $code at every credential', async ({ code, behaviour }) => {
    refuse(behaviour);
    second.script = () => 'works';
    const { status, body } = await run(workflowOf('plain'));
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'succeeded', provider: 'second', error: null });
    expect(attemptsOf(body)).toEqual([
      ['first', code],
      ['first', code],
      ['second', null],
    ]);
  });

  it('takes the run where nobody is reached', async () => {
    const { body } = await run('away');
    expect(body).toMatchObject({ status: 'succeeded', provider: 'last' });
    expect(attemptsOf(body)).toEqual([
      ['unreachable', 'upstream_unreachable'],
      ['last', null],
    ]);
  });

  it('takes the run where there is no credential, all are set aside, or all rest: nothing is asked before', async () => {
    expect(attemptsOf((await run('bare')).body)).toEqual([['last', null]]);
    for (const status of [401, 429]) {
      refuse({ status });
      const workflow = workflowOf('plain');
      await run(workflow);
      const before = first.starts().length;
      expect(attemptsOf((await run(workflow)).body)).toEqual([['second', null]]);
      expect(first.starts()).toHaveLength(before);
    }
  });

  it.each(NOT_BY_DEFAULT)('is left alone after $code, unless it is meant for it', async ({ code, status }) => {
    refuse({ status });
    const before = second.starts().length;
    expect((await run(workflowOf('plain'))).body.error.code).toBe(code);
    expect(second.starts()).toHaveLength(before);
    expect((await run(workflowOf('wide'))).body).toMatchObject({ status: 'succeeded', provider: 'last' });
  });

  it('is passed over where its `when` does not name the error', async () => {
    refuse({ status: 401 });
    const before = second.starts().length;
    expect((await run(workflowOf('picky'))).body).toMatchObject({ provider: 'last', status: 'succeeded' });
    expect(second.starts()).toHaveLength(before);
    refuse({ status: 429 });
    expect((await run(workflowOf('picky'))).body).toMatchObject({ provider: 'second', status: 'succeeded' });
  });

  it('is followed by the next one, each at most once, while every start provably began nothing', async () => {
    refuse({ status: 401 });
    second.script = () => ({ status: 403 });
    const forbidden = await run(workflowOf('chain'));
    expect(forbidden.body.error.code).toBe('upstream_forbidden');
    second.script = ({ isStart }) => (isStart ? { status: 402 } : 'works');
    const { body } = await run(workflowOf('chain'));
    expect(body).toMatchObject({ status: 'succeeded', provider: 'last' });
    expect(attemptsOf(body).at(-2)).toEqual(['second', 'upstream_payment_required']);
    second.script = ({ isStart }) => (isStart ? { status: 500 } : 'works');
    const ended = await run(workflowOf('chain'));
    expect(ended.body.error).toMatchObject({ code: 'upstream_error', provider: 'second' });
    second.script = () => 'works';
    const pointless = await run(workflowOf('pointless'));
    expect(attemptsOf(pointless.body).slice(-2)).toEqual([
      ['unreachable', 'upstream_unreachable'],
      ['last', null],
    ]);
  });
});

describe('a fallback of a run that is streamed', () => {
  it('streams from there, and the last event shows who took it', async () => {
    // The call for a token is refused already.
    first.script = () => ({ status: 401 });
    second.script = () => 'works';
    const headers = {
      authorization: gateway.authorization,
      'content-type': 'application/json',
      accept: 'text/event-stream',
    };
    const body = JSON.stringify({ workflow: workflowOf('plain') });
    const events = await (await fetch(`${gateway.url()}/runs`, { method: 'POST', body, headers })).text();
    expect(events).toContain('event: run.output.delta');
    const last = events.trim().split('\n\n').at(-1) ?? '';
    expect(last).toContain('event: run.succeeded');
    expect(last).toContain('"provider":"second"');
  });
});

describe('a fallback of another kind', () => {
  it.each(polled)('at $kind is polled there, and the run shows it', async ({ kind }) => {
    refuse({ status: 401 });
    const { body } = await run(workflowOf(`to-${kind}`), { inputs: { question: 'Who?' } });
    const ended = await gateway.end(body.id);
    expect(ended).toMatchObject({ status: 'succeeded', provider: kind, inputs: { question: 'Who?' } });
    expect(ended.upstream).toMatchObject({ workflow_id: ORDINARY, run_id: expect.any(String) });
    expect(ended.attempts.at(-1)).toMatchObject({ provider: kind, workflow: ORDINARY, error_code: null });
  });

  it.each(cancellable)('at $kind is cancelled there', async ({ kind }) => {
    refuse({ status: 401 });
    const id = await gateway.begin({ workflow: workflowOf(`long-${kind}`) });
    await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
    await gateway.cancel(id);
    expect(await gateway.end(id)).toMatchObject({ status: 'cancelled', provider: kind, upstream: { stopped: true } });
  });

  it.each(cancellable)('at $kind is known to the next process, which polls and cancels there', async ({ kind }) => {
    refuse({ status: 401 });
    const id = await gateway.begin({ workflow: workflowOf(`long-${kind}`) });
    await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
    await gateway.shutDown();
    await gateway.startUp();
    const before = first.calls.length;
    expect((await gateway.get(`/runs/${id}`)).body).toMatchObject({ status: 'running', provider: kind });
    await gateway.cancel(id);
    expect(await gateway.end(id)).toMatchObject({ status: 'cancelled', provider: kind, upstream: { stopped: true } });
    expect(first.calls).toHaveLength(before);
  });
});

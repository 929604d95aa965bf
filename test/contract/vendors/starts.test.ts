import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { VENDOR_SANDBOXES } from '../../../src/sandbox/vendors.ts';
import { allAtOnce } from '../../support/all-at-once.ts';
import { startTestGateway, vendorOf, type Answered, type TestGateway } from '../../support/gateway.ts';
import {
  ERRORS,
  QUICK_KINDS,
  startExpectation,
  type AcceptedStart,
  type RefusedStart,
  type StartExpectation,
} from './contract-table.ts';
import {
  faultsOfKinds,
  nameOf,
  providerOf,
  providersOf,
  rests,
  restsLong,
  type FaultOfKind,
} from './faults-of-kinds.ts';

/** One start, and the same request again. */
interface StartedTwice {
  first: Answered;
  began: boolean[];
  again: Answered;
  startsInAll: number;
}

const faults = faultsOfKinds('start', 'run');
const cases = faults.flatMap((fault) => {
  const expected = startExpectation(fault.kind, fault.workflow);
  return expected === null ? [] : [{ ...fault, expected }];
});
const ordinary = PROVIDER_KINDS.map((kind) => ({
  kind,
  workflow: 'an-ordinary-one',
  expected: startExpectation(kind, 'runs-0')!,
}));
// A run that soon goes on by the vendor's clock has to be seen waiting before.
const results = allAtOnce([...cases, ...ordinary], nameOf, startTwice, {
  first: ({ expected }) => 'run' in expected && expected.endsLater === true,
});
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({
    kinds: QUICK_KINDS,
    environment: { RUNGATE_IDLE_TIMEOUT_MS: '2000' },
    providers: (sandbox) => providersOf(cases, sandbox),
  });
  results.begin();
});
afterAll(() => gateway.stop());

async function startTwice(one: FaultOfKind & { expected: StartExpectation }) {
  const { kind, workflow, expected } = one;
  const { timeoutS } = expected;
  const provider = providerOf(one);
  const body = {
    provider,
    workflow: gateway.workflowId(kind.kind, workflow),
    inputs: { Text_0: 'Hello world' },
    ...(timeoutS === undefined ? {} : { timeout_s: timeoutS }),
  };
  const headers = { 'idempotency-key': `${kind.kind} ${workflow}` };
  const starts = () => gateway.sandbox.starts({ kind: kind.kind, workflow });
  const first = await gateway.post('/runs', body, headers);
  const began = starts().map((start) => start.began);
  const again = await gateway.post('/runs', body, headers);
  return { first, began, again, startsInAll: starts().length } satisfies StartedTwice;
}

function rateLimitOf({ headers }: Answered): string[] {
  return [...headers.keys()].filter((name) => name.startsWith('x-ratelimit-'));
}

describe('the table of special workflow ids', () => {
  it('has a simulated vendor for every kind', () => {
    const simulated = VENDOR_SANDBOXES.map(({ kind }) => kind);
    expect(simulated.toSorted()).toEqual(PROVIDER_KINDS.map(({ kind }) => kind).toSorted());
  });

  it('has no start whose end this suite does not know', () => {
    expect(faults.length).toBeGreaterThan(PROVIDER_KINDS.length * 40);
    expect(cases.map(nameOf)).toEqual(faults.map(nameOf));
  });
});

describe('an ordinary run', () => {
  it.each(ordinary)('of $kind.kind succeeds, is started once and answered again from the record', async (one) => {
    const { first, began, again, startsInAll } = await results.resultOf(nameOf(one));
    const workflow = gateway.workflowId(one.kind.kind, one.workflow);
    expect(first.status).toBe(200);
    expect(first.headers.get('location')).toBe(`/runs/${first.body.id}`);
    expect(first.body).toMatchObject({
      object: 'run',
      status: 'succeeded',
      provider: one.kind.kind,
      workflow,
      inputs: { Text_0: 'Hello world' },
      error: null,
      waiting: null,
      partial: false,
      resolution: null,
      upstream: { workflow_id: workflow, stopped: null, poll_error: null },
      attempts: [{ provider: one.kind.kind, workflow, error_code: null }],
    });
    expect(first.body.output).toMatchObject({ data: expect.anything(), citations: expect.any(Array) });
    expect(first.body.upstream.run_id).toEqual(one.kind.poll === undefined ? null : expect.any(String));
    expect(JSON.stringify(first.body.output)).toContain('Hello world');
    expect([began, startsInAll]).toEqual([[true], 1]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.body).toEqual(first.body);
  });
});

describe.each(PROVIDER_KINDS)('a start at $kind', (kind) => {
  const own = cases.filter((one) => one.kind === kind);
  const refused = own.filter((one): one is typeof one & { expected: RefusedStart } => 'error' in one.expected);
  const accepted = own.filter((one): one is typeof one & { expected: AcceptedStart } => 'run' in one.expected);

  it.each(refused)('$workflow is refused with $expected.error', async (one) => {
    const { first, began } = await results.resultOf(nameOf(one));
    const { error: code, begins, retryAfterS } = one.expected;
    const { status, source, retryable } = ERRORS[code];
    expect(first.body.error).toMatchObject({ code, status, source, provider: providerOf(one), param: null });
    expect(first.body.error.retryable).toBe(retryable && kind.notStarted({ status: 429 }));
    expect(first.status).toBe(status);
    expect(first.body.error.docs_url).toBe(`/docs/errors#${code}`);
    expect(first.headers.get('location')).toBe(`/runs/${first.body.error.run_id}`);
    expect(began).toEqual([begins]);
    // What may be sent again must not have begun.
    if (first.body.error.retryable) expect(began).toEqual([false]);
    expectRetryAfter(first, retryAfterS);
    const run = (await gateway.get(`/runs/${first.body.error.run_id}`)).body;
    expect(run).toMatchObject({
      status: 'failed',
      output: null,
      error: { code, retryable: first.body.error.retryable },
    });
    expect(run.attempts).toMatchObject([{ error_code: code }]);
  });

  it.each(accepted)('$workflow is $expected.run', async (one) => {
    const { first, began, startsInAll } = await results.resultOf(nameOf(one));
    const { run: status, code, fields = {}, endsLater } = one.expected;
    expect(first.body).toMatchObject({ status, ...fields });
    expect(first.status).toBe(200);
    if (code !== undefined)
      expect(first.body.error).toMatchObject({ code, ...ERRORS[code], upstream: { status: null } });
    expect([began, startsInAll]).toEqual([[true], 1]);
    const { waitsFor } = one.expected;
    expect(first.body.waiting).toEqual(waitsFor ?? (status === 'waiting' ? { for: 'resume', hint: null } : null));
    if (endsLater) expect(await gateway.end(first.body.id)).toMatchObject({ status: 'succeeded', waiting: null });
  });

  it.each(own)('$workflow sent again with its key is what the first answer promised', async (one) => {
    const { first, again, startsInAll } = await results.resultOf(nameOf(one));
    const id = (answer: Answered) => answer.body.error?.run_id ?? answer.body.id;
    if (first.body.error?.retryable === true) {
      // The key was given back: this is another request, which is refused while the vendor is given its rest.
      expect(rests(one)).toBe(true);
      expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([429, null]);
      expect(again.body.error.code).toBe('upstream_rate_limited');
      const isHeldBack = again.body.error.source === 'gateway';
      if (restsLong(first.body.error)) expect(isHeldBack).toBe(true);
      // Else another run, and another start.
      expect([id(again) !== id(first), startsInAll]).toEqual([true, isHeldBack ? 1 : 2]);
      if (isHeldBack) expect([again.body.error.run_id, rateLimitOf(again)]).toEqual([null, []]);
    } else {
      expect(id(again)).toBe(id(first));
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(again.body.error?.code).toBe(first.body.error?.code);
      expect([again.status, startsInAll]).toEqual([first.status, 1]);
      expect(rateLimitOf(again)).toEqual([]);
    }
  });

  it('shows the vendor’s rate limits on every answer that the vendor gave, and on no other', async () => {
    const shown = rateLimitOf((await results.resultOf(nameOf({ kind, workflow: 'an-ordinary-one' }))).first);
    const documented = kind.rateLimitReset === undefined ? shown : ['x-ratelimit-limit', 'x-ratelimit-remaining'];
    expect(shown).toEqual(documented);
    for (const one of own) {
      const { first } = await results.resultOf(nameOf(one));
      const wanted = 'run' in one.expected || one.expected.head ? shown : [];
      // What repeats our credential there is scrubbed, and still shown.
      if (one.workflow !== 'answer-echo-key')
        expect({ workflow: one.workflow, shown: rateLimitOf(first) }).toEqual({
          workflow: one.workflow,
          shown: wanted,
        });
    }
  });

  it('never shows our credential, even where the vendor repeats it', async () => {
    const { key } = vendorOf(gateway.sandbox, kind.kind);
    const { first } = await results.resultOf(nameOf({ kind, workflow: 'answer-echo-key' }));
    const run = await gateway.get(`/runs/${first.body.error.run_id}`);
    const everything = JSON.stringify([first.body, [...first.headers], run.body, [...run.headers]]);
    expect(everything).not.toContain(key);
    expect(first.body.error.upstream.message).toContain('[secret]');
  });
});

describe('the gateway', () => {
  it('makes no mistake of its own in all this', async () => {
    await Promise.allSettled([...cases, ...ordinary].map((one) => results.resultOf(nameOf(one))));
    expect(gateway.complaints).toEqual([]);
  });
});

function expectRetryAfter({ status, headers, body }: Answered, wanted: readonly [number, number] | undefined): void {
  const header = headers.get('retry-after');
  expect(header).toBe(body.error.retry_after_s === null ? null : String(body.error.retry_after_s));
  if (status === 429 || status === 503) expect(header).toMatch(/^\d+$/);
  // Counted from the end of the run, so a slow machine sees less.
  if (wanted !== undefined && header !== null) {
    expect(Number(header)).toBeGreaterThanOrEqual(Math.max(0, wanted[0] - 3));
    expect(Number(header)).toBeLessThanOrEqual(wanted[1]);
  }
}

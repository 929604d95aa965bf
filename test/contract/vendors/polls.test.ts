import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { allAtOnce, type InTurn } from '../../support/all-at-once.ts';
import { startTestGateway, vendorOf, type Answered, type TestGateway } from '../../support/gateway.ts';
import { ERRORS, pollEnd, QUICK_KINDS, type PollEnd } from './contract-table.ts';
import { faultsOfKinds, nameOf, type FaultOfKind } from './faults-of-kinds.ts';

interface Case extends FaultOfKind {
  expected: PollEnd;
  timeoutS: number;
}

/** A read that hangs is given up after this. */
const READ_TIMEOUT_MS = 2_000;
/** A case may have to wait for its turn. */
const TURNS_MS = 60_000;
/** Long enough for several polls before it, where so many runs at a time are polled until their deadline. */
const DEADLINE_S = 5;
const AT_A_TIME_MAX = 32;
/** How late a deadline may be noticed, on a busy machine. */
const LATE_MS = 4_000;

const faults = faultsOfKinds('poll');

/** Ends well once the answers are well again. A long `Retry-After` is made a short one, as it may be heeded. */
const passing: Case[] = faults.map(({ kind, workflow }) => ({
  kind,
  workflow: `${workflow.replace(/(-retry-(?:date-)?)\d+$/, '$11')}-x${hangs(workflow) ? 1 : 2}`,
  expected: { status: 'succeeded' },
  timeoutS: 60,
}));
const lasting: Case[] = faults.map(({ kind, workflow }) => ({
  kind,
  workflow: `${workflow}-forever`,
  expected: pollEnd(/status-(\d+)/.exec(workflow)?.[1] ?? ''),
  timeoutS: DEADLINE_S,
}));
/** Reads that are to find out what became of a broken start. */
const lookedUp: Case[] = PROVIDER_KINDS.filter(({ lookup }) => lookup !== undefined).flatMap((kind) => [
  ...['status-503-x2', 'status-401-x2', 'status-404-x4', 'html-x2', 'cut-in-body-x2'].map((fault): Case => ({
    kind,
    workflow: `cut-begun.poll-${fault}`,
    expected: { status: 'succeeded' },
    timeoutS: 60,
  })),
  ...['status-503', 'status-401', 'status-404', 'html-forever', 'never-answers-forever'].map((fault): Case => ({
    kind,
    workflow: `cut-begun.poll-${fault}`,
    expected: { status: 'failed', code: 'outcome_unknown' },
    timeoutS: DEADLINE_S,
  })),
]);
const cases = [...passing, ...lasting, ...lookedUp];
const results = allAtOnce(cases, nameOf, run, { atATimeMax: AT_A_TIME_MAX });
let gateway: TestGateway;

function hangs(workflow: string): boolean {
  return /never-answers|stall/.test(workflow);
}

beforeAll(async () => {
  // Each case hangs in its poll for as long as it likes.
  const environment = {
    RUNGATE_POLLS_MAX: '1000',
    RUNGATE_POLLS_PER_PROVIDER_MAX: '1000',
    RUNGATE_HEADERS_TIMEOUT_MS: String(READ_TIMEOUT_MS),
    RUNGATE_IDLE_TIMEOUT_MS: String(READ_TIMEOUT_MS),
  };
  gateway = await startTestGateway({ kinds: QUICK_KINDS, environment });
  results.begin();
});
afterAll(() => gateway.stop());

async function run({ kind, workflow, timeoutS }: Case, inTurn: InTurn): Promise<Answered> {
  const body = { provider: kind.kind, workflow: gateway.workflowId(kind.kind, workflow), timeout_s: timeoutS };
  return inTurn(() => gateway.post('/runs', body));
}

function durationMs(ended: { created_at: string; finished_at: string }): number {
  return Date.parse(ended.finished_at) - Date.parse(ended.created_at);
}

describe('the table of special workflow ids', () => {
  it('has damaged polls for every kind that polls', () => {
    for (const kind of PROVIDER_KINDS) {
      const own = faults.filter((fault) => fault.kind === kind);
      expect({ kind: kind.kind, faults: own.length > 40 }).toEqual({
        kind: kind.kind,
        faults: kind.poll !== undefined,
      });
    }
  });
});

describe.each(PROVIDER_KINDS.filter(({ poll }) => poll !== undefined))('a poll at $kind', (kind) => {
  const of = (list: readonly Case[]) => list.filter((one) => one.kind === kind);

  it.each(of(passing))(
    '$workflow is none of the run’s business',
    async (one) => {
      const { status, body } = await results.resultOf(nameOf(one));
      expect(body).toMatchObject({ status: 'succeeded', error: null, upstream: { poll_error: null } });
      expect(status).toBe(200);
      expect(gateway.sandbox.starts({ kind: kind.kind, workflow: one.workflow })).toHaveLength(1);
    },
    TURNS_MS,
  );

  it.each(of(lasting))(
    '$workflow is $expected.status',
    async (one) => {
      const { status, body } = await results.resultOf(nameOf(one));
      const { code, pollError } = one.expected;
      expect(body).toMatchObject({ status: one.expected.status, error: { code, ...ERRORS[code!] } });
      expect(status).toBe(200);
      if (pollError === undefined) expect(body.upstream.poll_error).toBeNull();
      else expect(body.upstream.poll_error).toMatchObject({ code: pollError, ...ERRORS[pollError] });
      const tookMs = durationMs(body);
      if (one.expected.status === 'timed_out') expect(tookMs).toBeGreaterThanOrEqual(DEADLINE_S * 1000 - 50);
      expect(tookMs).toBeLessThan(DEADLINE_S * 1000 + LATE_MS);
      expect(gateway.sandbox.starts({ kind: kind.kind, workflow: one.workflow })).toHaveLength(1);
    },
    TURNS_MS,
  );

  it('shows the vendor’s refusal of our credential while it asks again', async () => {
    const workflow = gateway.workflowId(kind.kind, 'poll-status-401');
    const id = await gateway.begin({ provider: kind.kind, workflow, timeout_s: DEADLINE_S });
    const seen = await gateway.until(id, ({ upstream }) => upstream.poll_error !== null);
    expect(seen).toMatchObject({ status: 'running', error: null });
    expect(seen.upstream.poll_error).toMatchObject({ code: 'upstream_auth_failed', upstream: { status: 401 } });
  });

  it('tells the log of an answer that it does not understand', async () => {
    const workflow = gateway.workflowId(kind.kind, 'poll-wrong-shape');
    const id = await gateway.begin({ provider: kind.kind, workflow, timeout_s: DEADLINE_S });
    const about = { run_id: id, provider: kind.kind, operation: 'poll', status: 200 };
    await expect
      .poll(() => gateway.warnings, { timeout: 10_000 })
      .toContainEqual({
        message: 'an answer of the vendor was not understood',
        fields: expect.objectContaining(about),
      });
  });

  it('still shows it where the deadline has cut the next poll short', async () => {
    const workflow = gateway.workflowId(kind.kind, 'poll-status-401-x1.poll-never-answers');
    const timeoutS = READ_TIMEOUT_MS / 1_000 - 1;
    const { body } = await gateway.post('/runs', { provider: kind.kind, workflow, timeout_s: timeoutS });
    expect(body.status).toBe('timed_out');
    expect(body.upstream.poll_error).toMatchObject({ code: 'upstream_auth_failed', upstream: { status: 401 } });
    expect(body.error.message).toContain('upstream_auth_failed');
    const about = { run_id: body.id, provider: kind.kind, operation: 'poll', status: 401 };
    const told = gateway.warnings.filter(({ message }) => message === 'the vendor refuses to tell how a run goes');
    expect(told.filter(({ fields }) => JSON.stringify(fields).includes(body.id))).toMatchObject([{ fields: about }]);
  });

  it('never shows our credential where an answer to a poll repeats it', async () => {
    const { key } = vendorOf(gateway.sandbox, kind.kind);
    const { body } = await results.resultOf(nameOf({ kind, workflow: 'poll-echo-key-forever' }));
    expect(JSON.stringify(body)).not.toContain(key);
  });
});

describe.each(lookedUp)('a look-up at $kind.kind after a broken start', (one) => {
  it(
    `${one.workflow} is ${one.expected.status}`,
    async () => {
      const { status, body } = await results.resultOf(nameOf(one));
      if (one.expected.status === 'succeeded') expect([status, body.status]).toEqual([200, 'succeeded']);
      else {
        expect([status, body.error?.code]).toEqual([502, 'outcome_unknown']);
        const { body: ended } = await gateway.get(`/runs/${body.error.run_id}`);
        expect(durationMs(ended)).toBeLessThan(DEADLINE_S * 1000 + LATE_MS);
      }
      expect(gateway.sandbox.starts({ kind: one.kind.kind, workflow: one.workflow })).toHaveLength(1);
    },
    TURNS_MS,
  );
});

describe('the gateway', () => {
  it(
    'makes no mistake of its own in all this',
    async () => {
      await Promise.allSettled(cases.map((one) => results.resultOf(nameOf(one))));
      expect(gateway.complaints).toEqual([]);
    },
    TURNS_MS,
  );
});

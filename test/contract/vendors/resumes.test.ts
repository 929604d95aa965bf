import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pause, systemClock } from '../../../src/core/clock.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { allAtOnce } from '../../support/all-at-once.ts';
import {
  startTestGateway,
  vendorOf,
  type Answered,
  type TestGateway,
  type TestProvider,
} from '../../support/gateway.ts';
import { ERRORS, QUICK_KINDS, resumeEnd, type ResumeEnd } from './contract-table.ts';
import { faultsOfKinds, nameOf, type FaultOfKind } from './faults-of-kinds.ts';

interface Case extends FaultOfKind {
  end: ResumeEnd;
}

/** A run that waited, one resume of it, what was recorded, and the same resume again. */
interface ResumedTwice {
  waiting: Answered['body'];
  first: Answered;
  afterFirst: Answered['body'];
  sentOnce: boolean[];
  again: Answered;
  sentInAll: number;
}

const HANGING_RESUME_MS = 30_000;

const resumable = PROVIDER_KINDS.filter(({ resume }) => resume !== undefined);
const others = PROVIDER_KINDS.filter(({ resume }) => resume === undefined);
const faults = faultsOfKinds('resume');
const cases = faults.map((fault): Case => ({ ...fault, end: resumeEnd(fault.workflow) }));
const results = allAtOnce(cases, nameOf, resumeTwice);
let gateway: TestGateway;

/** A provider of the kind whose credential will be taken away. */
const fleeting = (kind: string) => `${kind}-fleeting`;

beforeAll(async () => {
  gateway = await startTestGateway({
    kinds: QUICK_KINDS,
    providers: ({ vendors }) =>
      Object.fromEntries(
        Object.values(vendors).map(({ kind, baseUrl }): [string, TestProvider] => [fleeting(kind), { kind, baseUrl }]),
      ),
  });
  results.begin();
});
afterAll(() => gateway.stop());

const begin = (kind: string, workflow: string, fields: object = {}): Promise<Answered> =>
  gateway.post('/runs', { provider: kind, workflow: gateway.workflowId(kind, workflow), ...fields });
const resume = (id: string, body: object = {}, headers: Record<string, string> = {}): Promise<Answered> =>
  gateway.post(`/runs/${id}/resume`, body, headers);
const resumesOf = (kind: string, workflow: string) => gateway.sandbox.resumes({ kind, workflow });
const eventsOf = async (id: string): Promise<string[]> =>
  (await gateway.command(({ store }) => store.runs.eventsAfter(id as never, 0, 100))).map(({ type }) => type);

async function resumeTwice({ kind: { kind }, workflow }: Case): Promise<ResumedTwice> {
  const { body: waiting } = await begin(kind, workflow);
  const again = () => resume(waiting.id, { inputs: { city: 'Lyon' } }, { 'idempotency-key': `${kind} ${workflow}` });
  const first = await again();
  const { body: afterFirst } = await gateway.get(`/runs/${waiting.id}`);
  const sentOnce = resumesOf(kind, workflow).map(({ began }) => began);
  return { waiting, first, afterFirst, sentOnce, again: await again(), sentInAll: resumesOf(kind, workflow).length };
}

describe('the table of special workflow ids', () => {
  it('has damaged resumes for every kind that resumes', () => {
    expect(resumable.length).toBeGreaterThan(0);
    for (const { kind } of PROVIDER_KINDS) {
      const own = faults.filter((fault) => fault.kind.kind === kind).length;
      expect({ kind, faults: own > 40 }).toEqual({ kind, faults: resumable.some((one) => one.kind === kind) });
    }
  });
});

describe.each(cases)('a resume at $kind.kind', (one) => {
  it(
    `${one.workflow} is ${one.end.is}, and never sent twice`,
    async () => {
      const { waiting, first, afterFirst, sentOnce, again, sentInAll } = await results.resultOf(nameOf(one));
      expect(waiting).toMatchObject({ status: 'waiting', waiting: { for: 'input' } });
      expect(sentOnce).toEqual([one.end.is === 'taken']);
      switch (one.end.is) {
        case 'refused': {
          const { code } = one.end;
          const { status, source } = ERRORS[code];
          expect([first.status, first.body.error]).toEqual([status, expect.objectContaining({ code, status, source })]);
          expect(first.body.error).toMatchObject({ run_id: waiting.id, provider: one.kind.kind });
          expect(first.headers.get('location')).toBe(`/runs/${waiting.id}`);
          if (status === 429) expect(first.headers.get('retry-after')).toMatch(/^\d+$/);
          expect(afterFirst).toMatchObject({ status: 'waiting', error: null, waiting: waiting.waiting });
          // The time for people goes on from where it was.
          expect(afterFirst.deadline_at).toBe(waiting.deadline_at);
          // The key was given back, so the same request is another resume.
          expect(again.headers.get('idempotent-replayed')).toBeNull();
          return expect(sentInAll).toBe(2);
        }
        case 'taken':
          expect([first.status, first.body.status, first.body.waiting]).toEqual([200, 'succeeded', null]);
          expect(JSON.stringify(first.body.output)).toContain('Lyon');
          break;
        case 'still waiting':
          expect([first.status, first.body]).toEqual([
            200,
            expect.objectContaining({ status: 'waiting', error: null }),
          ]);
          break;
      }
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect([again.status, again.body.status]).toEqual([200, first.body.status]);
      expect(sentInAll).toBe(1);
    },
    HANGING_RESUME_MS,
  );
});

describe.each(resumable)('a waiting run of $kind', ({ kind }) => {
  it('takes its answer and ends, and its events say so', async () => {
    const { body: waiting } = await begin(kind, 'asks.runs-50', { inputs: { name: 'Ada' } });
    const { status, headers, body } = await resume(waiting.id, { inputs: { city: 'Lyon' } });
    expect([status, headers.get('location')]).toEqual([200, `/runs/${waiting.id}`]);
    expect(body).toMatchObject({ id: waiting.id, status: 'succeeded', waiting: null, inputs: { name: 'Ada' } });
    for (const known of ['Ada', 'Lyon']) expect(JSON.stringify(body.output)).toContain(known);
    expect(resumesOf(kind, 'asks.runs-50')).toMatchObject([{ command: 'data', began: true }]);
    expect(await eventsOf(waiting.id)).toEqual([
      'run.created',
      'run.started',
      'run.waiting',
      'run.resumed',
      'run.succeeded',
    ]);
  });

  it('can ask again, and is resumed again', async () => {
    const { body: first } = await begin(kind, 'asks-2.runs-50');
    const { body: second } = await resume(first.id, { inputs: { a: 1 } }, { 'idempotency-key': `${kind} first` });
    expect(second).toMatchObject({ status: 'waiting', waiting: { for: 'input' } });
    expect(second.waiting.hint).not.toEqual(first.waiting.hint);
    expect((await resume(first.id, { inputs: { b: 2 } })).body.status).toBe('succeeded');
    // The first resume is still known by its key.
    const replayed = await resume(first.id, { inputs: { a: 1 } }, { 'idempotency-key': `${kind} first` });
    expect([replayed.headers.get('idempotent-replayed'), replayed.body.status]).toEqual(['true', 'succeeded']);
    expect(resumesOf(kind, 'asks-2.runs-50')).toHaveLength(2);
  });

  it('is answered at once where nobody wants to wait, and with 202 where the time is up', async () => {
    const { body: at } = await begin(kind, 'asks.runs-800.at-once');
    const soon = await resume(at.id, {}, { prefer: 'respond-async' });
    expect([soon.status, soon.body.status]).toEqual([202, 'running']);
    expect(await gateway.end(at.id)).toMatchObject({ status: 'succeeded' });
    const { body: slow } = await begin(kind, 'asks.runs-2500.too-slow');
    const late = await resume(slow.id, {}, { prefer: 'wait=1' });
    expect([late.status, late.body.status, late.headers.get('preference-applied')]).toEqual([202, 'running', 'wait=1']);
    expect(await gateway.end(slow.id)).toMatchObject({ status: 'succeeded' });
  });

  it('is resumed by the answer to a call that blocks until the turn is over', async () => {
    const { body: waiting } = await begin(kind, 'asks.slow-300.runs-100');
    expect(waiting.status).toBe('waiting');
    expect((await resume(waiting.id)).body).toMatchObject({ status: 'succeeded', waiting: null });
  });

  it('is resumed by one of many who come together, and the others are told', async () => {
    const workflow = 'asks.runs-300.a-race';
    const { body: waiting } = await begin(kind, workflow);
    const answers = await Promise.all(Array.from({ length: 10 }, () => resume(waiting.id)));
    const losers = answers.filter(({ status }) => status !== 200);
    expect(losers).toHaveLength(9);
    for (const { status, body } of losers) {
      expect([status, body.error.code, body.error.source]).toEqual([409, 'run_not_waiting', 'gateway']);
    }
    expect(resumesOf(kind, workflow)).toHaveLength(1);
  });

  it('is resumed once by many copies of one request', async () => {
    const workflow = 'asks.runs-300.copies';
    const { body: waiting } = await begin(kind, workflow);
    const headers = { 'idempotency-key': `${kind} copies` };
    const answers = await Promise.all(Array.from({ length: 10 }, () => resume(waiting.id, {}, headers)));
    expect(answers.map(({ status, body }) => [status, body.status])).toEqual(answers.map(() => [200, 'succeeded']));
    expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === null)).toHaveLength(1);
    expect(resumesOf(kind, workflow)).toHaveLength(1);
  });

  it('tells a key that was used for another resume, or another run', async () => {
    const headers = { 'idempotency-key': `${kind} reused` };
    const [{ body: one }, { body: other }] = await Promise.all([begin(kind, 'asks'), begin(kind, 'asks')]);
    expect((await resume(one.id, { inputs: { a: 1 } }, headers)).status).toBe(200);
    for (const [id, body] of [
      [one.id, { inputs: { a: 2 } }],
      [other.id, { inputs: { a: 1 } }],
    ] as const) {
      const { status, body: answer } = await resume(id, body, headers);
      expect([status, answer.error.code]).toEqual([422, 'idempotency_key_reused']);
    }
    expect((await gateway.get(`/runs/${other.id}`)).body.status).toBe('waiting');
  });

  it('has its key back where it is refused while a cancel is refused too', async () => {
    const workflow = `asks.uncancellable.slow-1500.resume-status-400-x1.race-${kind}`;
    const { body: run } = await begin(kind, workflow, {});
    expect(run.status).toBe('waiting');
    const again = () => resume(run.id, { inputs: { a: 1 } }, { 'idempotency-key': `${kind} race` });
    const first = again();
    await pause(systemClock, 100);
    expect((await gateway.cancel(run.id)).status).toBe(202);
    await first;
    await expect.poll(() => resumesOf(kind, workflow), { timeout: 10_000 }).toMatchObject([{ began: false }]);
    await gateway.until(run.id, ({ status }) => status === 'waiting');
    await expect.poll(async () => (await again()).headers.get('idempotent-replayed'), { timeout: 10_000 }).toBeNull();
    expect(resumesOf(kind, workflow)).toMatchObject([{ began: false }, { began: true }]);
  });

  it('is not resumed with an option that the kind does not have', async () => {
    const { body: waiting } = await begin(kind, 'asks.optional');
    const { status, body } = await resume(waiting.id, { options: { no_such_option: 1 } });
    expect([status, body.error.code, body.error.param]).toEqual([400, 'unknown_option', 'options.no_such_option']);
    expect(resumesOf(kind, 'asks.optional')).toEqual([]);
    expect((await gateway.get(`/runs/${waiting.id}`)).body.status).toBe('waiting');
  });

  it('is not resumed by another key, nor before it waits, nor once it has ended', async () => {
    const another = await gateway.client('runs', 'another');
    const { body: waiting } = await begin(kind, 'asks.mine');
    expect((await another.post(`/runs/${waiting.id}/resume`)).status).toBe(404);
    const running = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, 'runs-60000.not-yet') });
    const { body: ended } = await begin(kind, 'runs-0');
    for (const id of [running, ended.id]) {
      const { status, body } = await resume(id);
      expect([status, body.error.code]).toEqual([409, 'run_not_waiting']);
    }
    await gateway.cancel(running);
    expect(resumesOf(kind, 'asks.mine')).toEqual([]);
  });

  it('is cancelled at the vendor while it waits', async () => {
    const { body: waiting } = await begin(kind, 'asks.to-be-cancelled');
    expect(await gateway.cancel(waiting.id)).toMatchObject({ status: 202, body: { status: 'cancelling' } });
    expect(await gateway.end(waiting.id)).toMatchObject({ status: 'cancelled', upstream: { stopped: true } });
    expect((await resume(waiting.id)).body.error.code).toBe('run_not_waiting');
  });

  it('is timed out where nobody answers in time, and what was left of its time counts again after a resume', async () => {
    const { body: patient } = await begin(kind, 'asks.nobody', { waiting_timeout_s: 1 });
    expect(await gateway.end(patient.id)).toMatchObject({ status: 'timed_out', error: { code: 'run_timed_out' } });
    const { body: waiting } = await begin(kind, 'asks.runs-1200', { timeout_s: 2, waiting_timeout_s: 60 });
    // Waiting does not count.
    await pause(systemClock, 1_500);
    const { body: late } = await resume(waiting.id);
    expect(late).toMatchObject({ status: 'timed_out', error: { code: 'run_timed_out' } });
    expect(Date.parse(late.finished_at) - Date.parse(late.created_at)).toBeGreaterThan(3_000);
  });

  it('is not resumed through a credential that is gone, and waits on', async () => {
    const provider = fleeting(kind);
    const workflow = gateway.workflowId(kind, 'asks.no-credential');
    const { body: waiting } = await gateway.post('/runs', { provider, workflow });
    await gateway.command(async ({ vault }) => {
      for (const { id } of await vault.list(provider)) await vault.remove(id);
    });
    const { status, body } = await resume(waiting.id);
    expect([status, body.error.code]).toEqual([503, 'no_credential']);
    expect((await gateway.get(`/runs/${waiting.id}`)).body.status).toBe('waiting');
    expect(resumesOf(kind, 'asks.no-credential')).toEqual([]);
  });
});

describe.each(others)('a run of $kind', ({ kind }) => {
  it('cannot be resumed or paused, and is told so before anything is asked', async () => {
    const { body } = await begin(kind, 'runs-0.no-resume');
    const before = vendorOf(gateway.sandbox, kind).requests();
    for (const verb of ['resume', 'pause']) {
      const { status, body: answer } = await gateway.post(`/runs/${body.id}/${verb}`);
      expect([status, answer.error.code, answer.error.source]).toEqual([422, 'unsupported_operation', 'gateway']);
    }
    expect(vendorOf(gateway.sandbox, kind).requests()).toBe(before);
  });
});

describe('the gateway', () => {
  it(
    'makes no mistake of its own in all this',
    async () => {
      await Promise.allSettled(cases.map((one) => results.resultOf(nameOf(one))));
      expect(gateway.complaints).toEqual([]);
    },
    HANGING_RESUME_MS,
  );
});

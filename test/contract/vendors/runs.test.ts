import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reviveJson, type JsonObject } from '../../../src/core/json.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { startTestGateway, vendorOf, type Answered, type TestGateway } from '../../support/gateway.ts';
import { kindFixtures } from '../../support/kind-fixtures.ts';
import { ERRORS, QUICK_KINDS } from './contract-table.ts';

let gateway: TestGateway;
const polled = PROVIDER_KINDS.filter(({ poll }) => poll !== undefined);
const waitingKinds = () =>
  PROVIDER_KINDS.filter(({ kind }) =>
    vendorOf(gateway.sandbox, kind).faults.some(({ needs }) => needs === 'waiting'),
  ).map(({ kind }) => kind);

beforeAll(async () => {
  const deafPort = await closedPort();
  gateway = await startTestGateway({
    kinds: QUICK_KINDS,
    providers: (sandbox) =>
      Object.fromEntries(
        PROVIDER_KINDS.flatMap(({ kind }) => {
          const { baseUrl } = vendorOf(sandbox, kind);
          // A name, since an address would be refused where the file is read.
          const named = baseUrl.replace('http://127.0.0.1', 'https://localhost');
          return [
            [`${kind}-away`, { kind, baseUrl: `http://127.0.0.1:${deafPort}` }],
            [`${kind}-nowhere`, { kind, baseUrl: 'https://vendor.invalid' }],
            [`${kind}-tls`, { kind, baseUrl: baseUrl.replace('http:', 'https:') }],
            [`${kind}-private`, { kind, baseUrl: named, allowPrivateNetwork: false }],
            [`${kind}-poor`, { kind, baseUrl, secret: null }],
            [`${kind}-wrong`, { kind, baseUrl, secret: 'not-the-key' }],
            [`${kind}-fleeting`, { kind, baseUrl }],
          ];
        }),
      ),
  });
});
afterAll(() => gateway.stop());

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const startsOf = (kind: string, workflow: string) => gateway.sandbox.starts({ kind, workflow });

describe.each(PROVIDER_KINDS)('a request for $kind', (kind) => {
  const name = kind.kind;
  const id = (workflow: string) => gateway.workflowId(name, workflow);

  it.each(['away', 'nowhere', 'tls'])('whose vendor is %s may be sent again: nothing was sent', async (how) => {
    const body = { provider: `${name}-${how}`, workflow: id('unreachable') };
    const headers = { 'idempotency-key': `${name} ${how}` };
    const first = await gateway.post('/runs', body, headers);
    expect(first.status).toBe(502);
    expect(first.body.error).toMatchObject({
      code: 'upstream_unreachable',
      ...ERRORS.upstream_unreachable,
      provider: body.provider,
      upstream: null,
    });
    const again = await gateway.post('/runs', body, headers);
    expect(again.body.error.run_id).not.toBe(first.body.error.run_id);
    expect(startsOf(name, 'unreachable')).toEqual([]);
  });

  it('is not sent into a private network that the operator did not allow', async () => {
    const before = vendorOf(gateway.sandbox, name).requests();
    const { status, body } = await gateway.post('/runs', { provider: `${name}-private`, workflow: id('private') });
    expect([status, body.error.code]).toEqual([502, 'upstream_unreachable']);
    expect(vendorOf(gateway.sandbox, name).requests()).toBe(before);
  });

  it('without a credential is refused before anything is written', async () => {
    const { status, body, headers } = await gateway.post('/runs', { provider: `${name}-poor`, workflow: id('poor') });
    expect([status, body.error.code, body.error.source]).toEqual([503, 'no_credential', 'gateway']);
    expect(body.error.run_id).toBeNull();
    expect(headers.get('retry-after')).toMatch(/^\d+$/);
    expect((await gateway.get(`/runs?provider=${name}-poor`)).body.data).toEqual([]);
  });

  it('with a wrong credential is refused by the vendor, and the caller is told whose fault it is', async () => {
    const { status, body } = await gateway.post('/runs', { provider: `${name}-wrong`, workflow: id('wrong') });
    expect(status).toBe(502);
    expect(body.error).toMatchObject({ code: 'upstream_auth_failed', source: 'upstream', upstream: { status: 401 } });
    expect(JSON.stringify(body)).not.toContain('not-the-key');
  });

  it('with an option that the kind does not have is refused before anything is written', async () => {
    const body = { provider: name, workflow: id('optional'), options: { no_such_option: 1 } };
    const { status, body: answer } = await gateway.post('/runs', body);
    expect([status, answer.error.code, answer.error.param]).toEqual([400, 'unknown_option', 'options.no_such_option']);
    expect(startsOf(name, 'optional')).toEqual([]);
  });

  it.concurrent('reaches the vendor as its documents show it, options and all', async () => {
    const fixtures = kindFixtures(name).requests.filter(
      ({ operation, context }) => operation === 'start' && Object.keys(context.settings).length === 0,
    );
    expect(fixtures.length).toBeGreaterThan(0);
    for (const [i, { context, request }] of fixtures.entries()) {
      const workflow = `fixture-${i}`;
      const { inputs, options } = context;
      const { body: run } = await gateway.post('/runs', { provider: name, workflow: id(workflow), inputs, options });
      expect(run).toMatchObject({ status: 'succeeded', inputs });
      const [start] = startsOf(name, workflow);
      const sent = JSON.stringify(request.body)
        .replaceAll(context.clientRunId, run.id)
        .replaceAll(context.workflow, id(workflow));
      expect(reviveJson(start?.body ?? 'null')).toEqual(reviveJson(sent));
    }
  });

  it.concurrent('ends at its deadline, whatever the vendor does', async () => {
    const inTime = async (workflow: string) => {
      const { status, body } = await gateway.post('/runs', { provider: name, workflow: id(workflow), timeout_s: 1 });
      expect({ workflow, status, run: body.status }).toEqual({ workflow, status: 200, run: 'timed_out' });
      expect(body.error).toMatchObject({ code: 'run_timed_out', ...ERRORS.run_timed_out, provider: name });
      const tookMs = Date.parse(body.finished_at) - Date.parse(body.created_at);
      expect(tookMs).toBeGreaterThanOrEqual(1_000);
      expect(tookMs).toBeLessThan(4_000);
      expect(startsOf(name, workflow)).toHaveLength(1);
    };
    await Promise.all(['never-answers', 'runs-60000', 'stall-in-body'].map(inTime));
  });

  it('twenty times at once with one key begins one run', async () => {
    const body = { provider: name, workflow: id('twenty'), inputs: { a: 'b' } };
    const headers = { 'idempotency-key': `${name} twenty` };
    const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.post('/runs', body, headers)));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(new Set(answers.map((answer) => `${answer.status} ${answer.body.status}`))).toEqual(
      new Set(['200 succeeded']),
    );
    expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === null)).toHaveLength(1);
    expect(startsOf(name, 'twenty')).toHaveLength(1);
  });

  it.concurrent('that does not wait is told nothing of the vendor', async () => {
    const workflow = 'runs-300.not-waited-for';
    const answer = await gateway.post('/runs', { provider: name, workflow: id(workflow) }, { prefer: 'respond-async' });
    expect([answer.status, answer.body.status]).toEqual([202, 'running']);
    expect(answer.headers.get('location')).toBe(`/runs/${answer.body.id}`);
    expect([...answer.headers.keys()].filter((header) => header.startsWith('x-ratelimit-'))).toEqual([]);
    const seen = await gateway.get(`/runs/${answer.body.id}`, { prefer: 'wait=30' });
    expect([seen.status, seen.body.status]).toEqual([200, 'succeeded']);
    expect(startsOf(name, workflow)).toHaveLength(1);
  });

  it.concurrent('that waits for less than the run takes is answered 202, and the run goes on', async () => {
    const workflow = 'runs-1800.waited-for-a-second';
    const { status, body } = await gateway.post(
      '/runs',
      { provider: name, workflow: id(workflow) },
      { prefer: 'wait=1' },
    );
    expect([status, body.status]).toEqual([202, 'running']);
    expect(await gateway.end(body.id)).toMatchObject({ status: 'succeeded' });
    expect(startsOf(name, workflow)).toHaveLength(1);
  });

  it.concurrent('leaves a run that another key can neither see nor cancel', async () => {
    const other = await gateway.client('runs', 'another');
    const admin = await gateway.client('admin');
    const { body: run } = await gateway.post('/runs', { provider: name, workflow: id('mine') });
    for (const answer of [await other.get(`/runs/${run.id}`), await other.cancel(run.id)]) {
      expect([answer.status, answer.body.error.code, answer.body.error.run_id]).toEqual([404, 'not_found', null]);
    }
    expect((await other.get('/runs')).body.data).toEqual([]);
    expect((await gateway.get(`/runs?provider=${name}&workflow=${id('mine')}`)).body.data).toMatchObject([
      { id: run.id },
    ]);
    const seen = (await admin.get(`/runs/${run.id}`)).body;
    expect(seen).toMatchObject({ id: run.id, key: { name: 'test' } });
    expect(JSON.stringify((await admin.get('/runs?limit=100')).body)).toContain(run.id);
  });
});

describe.each(polled)('a run of $kind', ({ kind }) => {
  it.concurrent('whose credential is removed while it is polled says so and waits for its deadline', async () => {
    const provider = `${kind}-fleeting`;
    const id = await gateway.begin({ provider, workflow: gateway.workflowId(kind, 'runs-60000'), timeout_s: 3 });
    await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
    await gateway.command(async ({ vault }) => {
      for (const credential of await vault.list(provider)) await vault.remove(credential.id);
    });
    const seen = await gateway.until(id, ({ upstream }) => upstream.poll_error !== null);
    expect(seen).toMatchObject({ status: 'running', upstream: { poll_error: { code: 'no_credential' } } });
    expect(await gateway.end(id)).toMatchObject({ status: 'timed_out', error: { code: 'run_timed_out' } });
  });
});

describe('a waiting run', () => {
  const wait = (
    kind: string,
    { workflow, ...fields }: { workflow: string; [field: string]: unknown },
  ): Promise<Answered> =>
    gateway.post('/runs', { provider: kind, workflow: gateway.workflowId(kind, workflow), ...fields });

  it.concurrent('is shown at once, and goes on when the vendor does', async () => {
    expect(waitingKinds().length).toBeGreaterThan(0);
    for (const kind of waitingKinds()) {
      const { status, body } = await wait(kind, { workflow: 'waits-1200', timeout_s: 30, waiting_timeout_s: 100 });
      expect([status, body.status]).toEqual([200, 'waiting']);
      expect(body.waiting).toMatchObject({ for: expect.stringMatching(/^(input|resume|approval)$/) });
      // Meanwhile the deadline is the end of the waiting.
      expect(leftS(body)).toBeGreaterThan(90);
      expect(await gateway.end(body.id)).toMatchObject({ status: 'succeeded', waiting: null });
    }
  });

  it.concurrent('that nobody resumes in time is timed out', async () => {
    for (const kind of waitingKinds()) {
      const { body } = await wait(kind, { workflow: 'waits', timeout_s: 600, waiting_timeout_s: 1 });
      expect(body.status).toBe('waiting');
      const ended = await gateway.end(body.id);
      expect(ended).toMatchObject({ status: 'timed_out', waiting: null, error: { code: 'run_timed_out' } });
    }
  });

  it.concurrent('that waits longer than its timeout_s is not timed out: waiting does not count', async () => {
    for (const kind of waitingKinds()) {
      const { body } = await wait(kind, { workflow: 'waits-2500', timeout_s: 2 });
      expect(body.status).toBe('waiting');
      expect(await gateway.end(body.id)).toMatchObject({ status: 'succeeded' });
    }
  });
});

describe('options of b3os', () => {
  it('that exclude each other are refused before anything is written', async () => {
    const options = { simulate: true, dust_test: true };
    const { status, body } = await gateway.post('/runs', { provider: 'b3os', workflow: 'both', options });
    expect([status, body.error.code, body.error.param]).toEqual([400, 'invalid_request', 'options.dust_test']);
    expect(startsOf('b3os', 'both')).toEqual([]);
  });

  it.concurrent('reach the vendor, and nothing does that the caller did not set', async () => {
    const sent = async (workflow: string, options: object) => {
      await gateway.post('/runs', { provider: 'b3os', workflow, options });
      const { runId, payload, ...rest } = reviveJson<JsonObject>(startsOf('b3os', workflow)[0]?.body ?? '{}');
      expect([runId, payload]).toEqual([expect.stringMatching(/^run_/), {}]);
      return rest;
    };
    expect(await sent('none', {})).toEqual({});
    expect(await sent('simulated', { simulate: true })).toEqual({ simulate: true });
    expect(await sent('dust', { dust_test: true, version: 3 })).toEqual({ dustTest: true, version: 3 });
    expect(await sent('chat', { chat_message_id: 'm1' })).toEqual({ chatMessageId: 'm1' });
  });
});

describe('the gateway', () => {
  it('made no mistake of its own in all this', () => expect(gateway.complaints).toEqual([]));
});

function leftS({ deadline_at: deadlineAt }: { deadline_at: string }): number {
  return (Date.parse(deadlineAt) - Date.now()) / 1000;
}

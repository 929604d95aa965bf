import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isJsonObject, parseJson } from '../../src/core/json.ts';
import { Secret } from '../../src/core/secret.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { startTestGateway, vendorOf, type TestGateway } from '../support/gateway.ts';
import { createAnswerCheck, type WireAnswer } from '../support/openapi-answers.ts';
import { requestsOf, type HostileRequest, type Hints } from '../support/openapi-requests.ts';
import { readOpenApi, resolved, type DescribedOperation } from '../support/openapi.ts';

/** Each operation gets as many requests as fit into its time; a failure prints its seed and path. */
const SEED = 20_261_122;
const TIME_MS = 700;
/** For those that hold their callers, a second at a time. */
const HELD_TIME_MS = 3_000;
const BATCH = 16;
const POOL_MAX = 40;
const VENDOR_SECRET = 'shared-with-the-vendor';

interface Target {
  name: string;
  method: string;
  path: string;
  operation: DescribedOperation;
}

const document = readOpenApi();
const targets: Target[] = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    name: operation.operationId,
    method: method.toUpperCase(),
    path,
    operation,
  })),
);
/** Workflows that say something at once, that fail, that wait and that do not exist. */
const WORKFLOWS = ['plain', 'fails', 'status-500', 'status-401', 'cut-before-headers', 'asks'];
/** What rests the credential, for providers that nothing else is asked of. */
const LIMITED = 'status-429';

function limited(kind: string): string {
  return `${kind}-limited`;
}

/** What an operation wants that is no run. */
const OWN_HINTS: Readonly<Record<string, Hints>> = {
  resumeRun: { body: [{ inputs: { answer: 'b' } }, {}] },
  createToken: { body: [{ workflows: ['registered'] }], workflows: [['registered'], ['registered', 'registered']] },
};

function timeOf({ parameters }: DescribedOperation): number {
  const holds = parameters.some((parameter) => resolved(document, parameter).name === 'Prefer');
  return holds ? HELD_TIME_MS : TIME_MS;
}

describe('whatever is sent to an operation', () => {
  const faultsOf = createAnswerCheck(document);
  const seen = new Map<string, Set<number>>();
  const runs: string[] = [];
  const keys: Record<string, string> = {};
  let gateway: TestGateway;
  let hints: Hints;

  beforeAll(async () => {
    gateway = await startTestGateway({
      environment: { RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK: 'true' },
      workflows: { registered: { provider: 'ai-tutor', workflow: 'plain' } },
      providers: (sandbox) =>
        Object.fromEntries(
          PROVIDER_KINDS.map(({ kind }) => [limited(kind), { kind, baseUrl: vendorOf(sandbox, kind).baseUrl }]),
        ),
    });
    await gateway.command(({ vault }) =>
      vault.add({ provider: 'b3os', label: null, purpose: 'webhook', secret: new Secret(VENDOR_SECRET) }),
    );
    for (const role of ['runs', 'viewer', 'admin'] as const) keys[role] = await gateway.key(role);
    const ids = PROVIDER_KINDS.flatMap(({ kind }) => WORKFLOWS.map((name) => gateway.workflowId(kind, name)));
    const bodies = PROVIDER_KINDS.flatMap(({ kind }) =>
      [...WORKFLOWS.map((name) => [kind, name] as const), [limited(kind), LIMITED] as const].map(
        ([provider, name]) => ({ provider, workflow: gateway.workflowId(kind, name), inputs: { a: 'b' } }),
      ),
    );
    hints = {
      body: bodies,
      provider: PROVIDER_KINDS.map(({ kind }) => kind),
      workflow: ids,
      timeout_s: [1, 5, 86_400],
    };
  });
  afterAll(() => gateway.stop());

  /** Runs in every state that an operation may find one in. */
  async function fillPool(): Promise<void> {
    runs.length = 0;
    const begin = async (provider: string, name: string, prefer: string) => {
      const answer = await send(
        { method: 'POST', path: '/runs' },
        {
          key: 'runs',
          run: 0,
          query: [],
          headers: { prefer, 'content-type': 'application/json' },
          body: JSON.stringify({ provider, workflow: gateway.workflowId(provider, name), inputs: { a: 'b' } }),
        },
      );
      notice(answer);
    };
    await Promise.all([
      begin('ai-tutor', 'plain', 'wait=10'),
      begin('ai-tutor', 'fails', 'wait=10'),
      begin('interactly', 'asks', 'wait=10'),
      begin('interactly', 'asks', 'wait=10'),
      begin('interactly', 'runs-60000', 'wait=1'),
      begin('b3os', 'runs-60000', 'respond-async'),
    ]);
  }

  function notice({ body }: WireAnswer): void {
    const parsed = parseJson(body);
    const run = parsed.ok && isJsonObject(parsed.value) ? parsed.value['id'] : null;
    if (typeof run === 'string' && runs.length < POOL_MAX) runs.push(run);
  }

  async function send({ method, path }: Pick<Target, 'method' | 'path'>, wanted: HostileRequest): Promise<WireAnswer> {
    const { key, run, query, headers, body } = wanted;
    const id = typeof run === 'string' ? run : (runs[run % runs.length] ?? 'none');
    const pairs = query.map((pair) => pair.map((part) => encodeURIComponent(part.toWellFormed())).join('='));
    const target = path
      .replace('{id}', encodeURIComponent(id.toWellFormed()))
      .replace('{provider}', encodeURIComponent(typeof run === 'string' ? run.toWellFormed() : 'b3os'))
      .replace('{delivery_id}', encodeURIComponent(typeof run === 'string' ? run.toWellFormed() : 'dlv_none'));
    const own = {
      ...(key === 'none' ? {} : { authorization: `Bearer ${keys[key] ?? 'rgk_wrong'}` }),
      // Node would send the body of a DELETE without saying how long it is.
      ...(body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        `${gateway.url()}/`,
        { method, path: pairs.length === 0 ? target : `${target}?${pairs.join('&')}`, headers: { ...headers, ...own } },
        (incoming) => {
          const told = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as const);
          text(incoming).then(
            (received) =>
              resolve({ status: incoming.statusCode ?? 0, headers: Object.fromEntries(told), body: received }),
            reject,
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body ?? undefined);
    });
  }

  it.each(targets)('$name is answered as the document says', async (target) => {
    if (target.path.includes('{id}')) await fillPool();
    const statuses = new Set<number>();
    seen.set(target.name, statuses);
    const own = OWN_HINTS[target.name] ?? hints;
    const batch = fc.array(requestsOf(document, target.operation, own), { minLength: BATCH, maxLength: BATCH });
    const property = fc.asyncProperty(batch, async (requests) => {
      const answers = await Promise.all(requests.map((one) => send(target, one)));
      for (const answer of answers) {
        statuses.add(answer.status);
        if (target.name === 'createRun') notice(answer);
      }
      expect(answers.flatMap((answer) => faultsOf(target.operation, answer))).toEqual([]);
    });
    const end = performance.now() + timeOf(target.operation);
    for (let i = 0; i === 0 || performance.now() < end; i++) {
      await fc.assert(property, { seed: SEED + i, numRuns: 2, endOnFailure: true });
    }
  });

  it('takes what is right, where a guess would need luck or time', async () => {
    function took(name: string, { status }: { status: number }, wanted: number): void {
      seen.get(name)?.add(status);
      expect([name, status]).toEqual([name, wanted]);
    }
    const of = (kind: string, name: string) => ({
      provider: kind,
      workflow: gateway.workflowId(kind, name),
      inputs: { a: 'b' },
    });
    const async = { prefer: 'respond-async' };
    const body = JSON.stringify({ data: { runId: 'run_unknown' } });
    const signature = createHmac('sha256', VENDOR_SECRET).update(body).digest('hex');
    const hint = await fetch(`${gateway.url()}/inbound/b3os`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-b3os-signature': signature },
      body,
    });
    took('receiveWebhook', hint, 202);
    const ended = await gateway.begin({ ...of('ai-tutor', 'plain'), webhook: { url: 'http://127.0.0.1:1/' } });
    await gateway.end(ended);
    const { data } = (await gateway.get(`/runs/${ended}/deliveries`)).body;
    took('redeliverDelivery', await gateway.post(`/runs/${ended}/deliveries/${data[0].id}/redeliver`), 202);
    took('deleteRun', await gateway.delete(`/runs/${ended}`), 200);
    const asking = await gateway.begin(of('interactly', 'asks'));
    await gateway.until(asking, ({ status }) => status === 'waiting');
    took('resumeRun', await gateway.post(`/runs/${asking}/resume`, { inputs: { answer: 'b' } }, async), 202);
    const going = await gateway.begin(of('interactly', 'runs-60000'));
    // Before the vendor has named the run, there is nothing to pause.
    await gateway.until(going, ({ status, upstream }) => status === 'running' && upstream.run_id !== null);
    took('pauseRun', await gateway.post(`/runs/${going}/pause`, {}, async), 202);
    took('cancelRun', await gateway.cancel(going), 202);
  });

  it('was a success at least once, and a refusal, for each operation', () => {
    const without = targets.filter(({ name, operation }) => {
      const statuses = [...(seen.get(name) ?? [])];
      const open = operation.security?.length === 0;
      return !statuses.some((status) => status < 300) || !(open || statuses.some((status) => status >= 400));
    });
    expect(without.map(({ name }) => [name, ...(seen.get(name) ?? [])])).toEqual([]);
  });

  it('was no mistake of the gateway', () => {
    expect(gateway.complaints).toEqual([]);
  });
});

describe('the check of answers', () => {
  const faultsOf = createAnswerCheck(document);
  const operation = document.paths['/healthz']!['get']!;
  const headers = { 'content-type': 'application/json', 'x-request-id': 'a', 'server-timing': 'x' };

  it('finds an unknown status, field and header', () => {
    const good = { status: 200, headers, body: '{"status":"ok"}' };
    expect(faultsOf(operation, good)).toEqual([]);
    expect(faultsOf(operation, { ...good, status: 418 })).toHaveLength(1);
    expect(faultsOf(operation, { ...good, body: '{"status":"ok","more":1}' })).toHaveLength(1);
    expect(faultsOf(operation, { ...good, body: '{"status":"no"}' })).toHaveLength(1);
    expect(faultsOf(operation, { ...good, headers: { ...headers, 'x-powered-by': 'x' } })).toHaveLength(1);
  });
});

import createClient, { type Client } from 'openapi-fetch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { components, paths } from '../fixtures/openapi-client.d.ts';
import { startTestGateway, vendorOf, type TestGateway } from '../support/gateway.ts';

type Run = components['schemas']['Run'];

const ENDED: ReadonlySet<Run['status']> = new Set(['succeeded', 'failed', 'cancelled', 'timed_out']);

/** The types come from the committed document, so `tsc` proves that it describes what is done here. */
describe('a client generated from the document', () => {
  let gateway: TestGateway;
  let client: Client<paths, 'application/json'>;
  beforeAll(async () => {
    // A vendor that refuses for a while is given its rest: by a provider that nothing else is asked of.
    gateway = await startTestGateway({
      providers: (sandbox) => ({ limited: { kind: 'b3os', baseUrl: vendorOf(sandbox, 'b3os').baseUrl } }),
    });
    const authorization = `Bearer ${await gateway.key('runs')}`;
    client = createClient<paths, 'application/json'>({ baseUrl: gateway.url(), headers: { authorization } });
  });
  afterAll(() => gateway.stop());

  const story = { provider: 'ai-tutor', workflow: 'wf_abc123', inputs: { story: 'a fox and a gateway' } };

  it.each([
    story,
    {
      provider: 'draft-and-goal',
      workflow: '0cf35172-859e-4b26-8ce9-6c2588a77b40',
      inputs: { Text_0: 'Hello world' },
    },
    { provider: 'b3os', workflow: 'rebalance', inputs: { amount: 5 }, options: { simulate: true } },
  ])('runs a workflow of $provider', async (body) => {
    const { data, error, response } = await client.POST('/runs', { body });
    expect(error).toBeUndefined();
    expect(response.status).toBe(200);
    expect([data?.object, data?.status, data?.provider]).toEqual(['run', 'succeeded', body.provider]);
    expect(response.headers.get('location')).toBe(`/runs/${data?.id}`);
  });

  it('is told of a vendor’s refusal by its code', async () => {
    const { data, error, response } = await client.POST('/runs', {
      body: { provider: 'limited', workflow: 'status-429', inputs: {} },
    });
    expect([data, response.status]).toEqual([undefined, 429]);
    expect(error?.error.code).toBe('upstream_rate_limited');
    expect(error?.error).toMatchObject({ source: 'upstream', retryable: true });
  });

  it('sends a request again without a second run', async () => {
    const params = { header: { 'Idempotency-Key': 'order-1001' } };
    const first = await client.POST('/runs', { body: story, params });
    const again = await client.POST('/runs', { body: story, params });
    expect(again.data?.id).toBe(first.data?.id);
    expect(again.response.headers.get('idempotent-replayed')).toBe('true');
  });

  it('resumes a run that waits', async () => {
    const workflow = gateway.workflowId('interactly', 'asks');
    const { data: waiting } = await client.POST('/runs', { body: { provider: 'interactly', workflow } });
    expect([waiting?.status, waiting?.waiting?.for]).toEqual(['waiting', 'input']);
    const { data: run } = await client.POST('/runs/{id}/resume', {
      params: { path: { id: waiting?.id ?? '' } },
      body: { inputs: { answer: 'The second one.' } },
    });
    expect(run?.status).toBe('succeeded');
  });

  it('follows a run that it did not wait for, and cancels another', async () => {
    const header = { Prefer: 'respond-async' };
    const body = { provider: 'b3os', workflow: 'rebalance', inputs: {} };
    const { data: begun, response } = await client.POST('/runs', { body, params: { header } });
    expect([response.status, response.headers.get('preference-applied')]).toEqual([202, 'respond-async']);
    const path = { id: begun?.id ?? '' };
    const { data: run } = await client.GET('/runs/{id}', { params: { path, header: { Prefer: 'wait=10' } } });
    expect(run?.status).toBe('succeeded');
    const { data: other } = await client.POST('/runs', {
      body: { ...body, workflow: 'runs-20000' },
      params: { header },
    });
    const cancelled = await client.POST('/runs/{id}/cancel', { params: { path: { id: other?.id ?? '' } } });
    expect([200, 202]).toContain(cancelled.response.status);
  });

  it('lists, deletes and looks around', async () => {
    const query = { status: ['succeeded' as const], limit: 2, include: ['output' as const] };
    const { data: page } = await client.GET('/runs', { params: { query } });
    expect(page?.data.map(({ status, output }) => [status, output !== undefined])).toEqual([
      ['succeeded', true],
      ['succeeded', true],
    ]);
    const path = { id: page?.data[0]?.id ?? '' };
    const { data: deleted } = await client.DELETE('/runs/{id}', { params: { path } });
    expect(ENDED.has(deleted!.status)).toBe(true);
    const { error } = await client.GET('/runs/{id}', { params: { path } });
    expect(error?.error.code).toBe('not_found');
    const { data: providers } = await client.GET('/providers');
    expect(providers?.data.map(({ name }) => name)).toContain('ai-tutor');
    const { data: workflows } = await client.GET('/workflows');
    expect(workflows?.data).toEqual([]);
    const { data: alive } = await client.GET('/healthz');
    expect(alive?.status).toBe('ok');
  });
});

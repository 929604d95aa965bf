import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createKindDescriber } from '../../src/http/describe-kind.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { defineProvider, get, nothing, path, plainWorkflowId, post } from '../../src/providers/define-provider.ts';
import { running as stillRunning } from '../../src/providers/outcome.ts';
import { createRegistry } from '../../src/providers/registry.ts';
import { startAdminApp } from '../support/admin-app.ts';
import { startRunsApp } from '../support/runs-app.ts';

const common = {
  title: 'Vendor',
  docsUrl: 'https://vendor.example/docs',
  baseUrl: 'https://vendor.example',
  auth: { type: 'bearer' },
  workflowId: plainWorkflowId,
  repeat: 'never',
  notStarted: () => false,
  start: { request: ({ workflow }: { workflow: string }) => post(path`/run/${workflow}`), read: () => stillRunning() },
  readError: () => ({}),
} as const;
const blocking = defineProvider({
  ...common,
  kind: 'blocking',
  options: z.strictObject({ version: z.int().optional() }),
  settings: z.strictObject({ org: z.string().default('canary-setting') }),
  defaultTimeoutS: 330,
});
const polled = defineProvider({
  ...common,
  kind: 'draft-and-goal',
  options: nothing,
  settings: nothing,
  poll: { request: ({ runId }) => get(path`/runs/${runId}`), read: () => stillRunning() },
  cancel: { request: ({ runId }) => post(path`/runs/${runId}/cancel`), read: () => stillRunning() },
});
const limits = {
  concurrency: 20,
  requestsPerMinute: null,
  perCredential: { concurrency: null, requestsPerMinute: 60 },
};
const registry = createRegistry({ kinds: [blocking, polled], providers: { blocking: { limits } }, workflows: [] });

interface Listed {
  data: {
    name: string;
    kind: string;
    credential: string;
    capabilities: object;
    options: object;
    workflow_id: object;
  }[];
}

describe('GET /providers', () => {
  it('says what each provider can do and what it takes', async () => {
    await using app = await startRunsApp({
      registry: () => registry,
      credentialPresent: async (name) => name === 'blocking',
      breakerOf: (name) => (name === 'blocking' ? 'half_open' : 'closed'),
    });
    const answer = await fetch(`${app.url}/providers`, { headers: { authorization: 'Bearer runs' } });
    const text = await answer.text();
    const { data } = JSON.parse(text) as Listed;
    expect(data.map(({ name, credential }) => [name, credential])).toEqual([
      ['blocking', 'present'],
      ['draft-and-goal', 'missing'],
    ]);
    expect(data[0]).toMatchObject({
      title: 'Vendor',
      docs_url: 'https://vendor.example/docs',
      timeout_s: 330,
      capabilities: { start: 'blocking', cancel: false, resume: false },
      options: { type: 'object', properties: { version: { type: 'integer' } }, additionalProperties: false },
      workflow_id: { type: 'string' },
      breaker: 'half_open',
      limits: {
        concurrency: 20,
        requests_per_minute: null,
        per_credential: { concurrency: null, requests_per_minute: 60 },
      },
    });
    const none = { concurrency: null, requests_per_minute: null };
    expect(data[1]).toMatchObject({ breaker: 'closed', limits: { ...none, per_credential: none } });
    expect(data[1]?.capabilities).toMatchObject({ start: 'async', cancel: true });
    expect(text).not.toContain('canary-setting');
    expect(text).not.toContain('"base_url"');
  });

  it.each(PROVIDER_KINDS.map((kind) => [kind.kind, kind] as const))('says of %s exactly what it can do', (_, kind) => {
    const { capabilities, options, resume_options: resumeOptions } = createKindDescriber()(kind);
    expect(capabilities).toEqual({
      start: kind.poll ? 'async' : 'blocking',
      stream: Boolean(kind.startStream ?? kind.follow),
      cancel: Boolean(kind.cancel),
      pause: Boolean(kind.pause),
      resume: Boolean(kind.resume),
      webhooks: Boolean(kind.inbound),
    });
    expect(options).toMatchObject({ type: 'object', additionalProperties: false });
    if (kind.resume === undefined) expect(resumeOptions).toBeNull();
    else expect(resumeOptions).toMatchObject({ type: 'object', additionalProperties: false });
  });

  it('shows a key with an allow-list only what is on it', async () => {
    await using app = await startRunsApp({ registry: () => registry });
    const answer = await fetch(`${app.url}/providers`, { headers: { authorization: 'Bearer narrow' } });
    expect(((await answer.json()) as Listed).data.map(({ name }) => name)).toEqual(['draft-and-goal']);
  });
});

describe('the probes', () => {
  it('need no key', async () => {
    await using app = await startRunsApp();
    expect(await (await fetch(`${app.url}/healthz`)).json()).toEqual({ status: 'ok' });
    expect((await fetch(`${app.url}/readyz`)).status).toBe(200);
  });

  it('say why the process cannot take work, and that it drains', async () => {
    await using app = await startRunsApp();
    for (const reason of ['store', 'draining'] as const) {
      app.state.unready = reason;
      const answer = await fetch(`${app.url}/readyz`);
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('5');
      expect(await answer.json()).toEqual({ status: 'unavailable', reasons: [reason] });
    }
    expect((await fetch(`${app.url}/healthz`)).status).toBe(200);
  });

  it('are on the admin listener too, which has no runs to begin', async () => {
    await using admin = await startAdminApp();
    expect((await fetch(`${admin.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${admin.url}/readyz`)).status).toBe(200);
    const other = await fetch(`${admin.url}/runs`, { headers: { authorization: 'Bearer admin' } });
    expect(other.status).toBe(404);
  });
});

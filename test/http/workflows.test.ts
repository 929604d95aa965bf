import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseConfig } from '../../src/config/parse-config.ts';
import { errorBodyOf, GatewayError } from '../../src/core/errors.ts';
import { defineProvider, nothing, path, plainWorkflowId, post } from '../../src/providers/define-provider.ts';
import { running } from '../../src/providers/outcome.ts';
import { createRegistry } from '../../src/providers/registry.ts';
import { resolveRun } from '../../src/runs/resolve-run.ts';
import type { RunRequest } from '../../src/runs/run-service.ts';
import { callerWith, startRunsApp } from '../support/runs-app.ts';

const kind = defineProvider({
  kind: 'vendor',
  title: 'Vendor',
  docsUrl: 'https://vendor.example/docs',
  baseUrl: 'https://vendor.example',
  auth: { type: 'bearer' },
  workflowId: plainWorkflowId,
  options: z.strictObject({ version: z.int().optional() }),
  settings: nothing,
  repeat: 'never',
  notStarted: () => false,
  start: { request: ({ workflow }) => post(path`/run/${workflow}`), read: () => running() },
  readError: () => ({}),
  defaultTimeoutS: 330,
});

const FILE = `
providers: { other: { kind: vendor, base_url: "https://canary.example", credentials: [env:CANARY_KEY] } }
workflows:
  summarize-ticket:
    provider: other
    workflow: wf_canary
    description: Summarises a support ticket
    inputs:
      type: object
      required: [ticket]
      properties: { ticket: { type: string }, tone: { enum: [dry, warm] } }
      additionalProperties: false
    defaults: { tone: dry }
    timeout_s: 120
  plain: { provider: vendor, workflow: wf_2 }
`;
const config = parseConfig(FILE, 'rungate.yaml', { kinds: [kind], environment: null });
const registry = createRegistry({ kinds: [kind], ...config });

interface Listed {
  data: { name: string; [field: string]: unknown }[];
}

describe('GET /workflows', () => {
  it('tells everything that a form can be built from, and nothing of the vendor’s side', async () => {
    await using app = await startRunsApp({
      registry: () => registry,
      credentialPresent: async (name) => name === 'vendor',
    });
    const answer = await fetch(`${app.url}/workflows`, { headers: { authorization: 'Bearer runs' } });
    const text = await answer.text();
    const { data } = JSON.parse(text) as Listed;
    expect(data).toEqual([
      {
        name: 'summarize-ticket',
        description: 'Summarises a support ticket',
        provider: 'other',
        capabilities: expect.objectContaining({ start: 'blocking', cancel: false }),
        inputs: {
          type: 'object',
          required: ['ticket'],
          properties: { ticket: { type: 'string' }, tone: { enum: ['dry', 'warm'] } },
          additionalProperties: false,
        },
        options: expect.objectContaining({ type: 'object', additionalProperties: false }),
        resume_options: null,
        defaults: { tone: 'dry' },
        timeout_s: 120,
        credential: 'missing',
      },
      expect.objectContaining({
        name: 'plain',
        description: null,
        inputs: null,
        defaults: {},
        timeout_s: 330,
        credential: 'present',
      }),
    ]);
    expect(text.toLowerCase()).not.toContain('canary');
  });

  it('shows a key with an allow-list only what is on it', async () => {
    const listed = async (allowed: { allowedWorkflows?: string[]; allowedProviders?: string[] }) => {
      await using app = await startRunsApp({
        registry: () => registry,
        verifyKey: async () => callerWith('runs', allowed),
      });
      const answer = await fetch(`${app.url}/workflows`, { headers: { authorization: 'Bearer any' } });
      return ((await answer.json()) as Listed).data.map(({ name }) => name);
    };
    expect(await listed({ allowedWorkflows: ['plain', 'gone'] })).toEqual(['plain']);
    expect(await listed({ allowedProviders: ['vendor'] })).toEqual([]);
    expect(await listed({})).toEqual(['summarize-ticket', 'plain']);
  });

  it('wants a key, and knows no single workflow', async () => {
    await using app = await startRunsApp({ registry: () => registry });
    expect((await fetch(`${app.url}/workflows`)).status).toBe(401);
    const one = await fetch(`${app.url}/workflows/plain`, { headers: { authorization: 'Bearer runs' } });
    expect(one.status).toBe(404);
  });
});

function resolved(request: Partial<RunRequest>) {
  return resolveRun(registry, {
    workflow: 'summarize-ticket',
    inputs: {},
    options: {},
    onDisconnect: 'continue',
    webhook: null,
    metadata: {},
    tags: [],
    ...request,
  });
}

function refusal(request: Partial<RunRequest>) {
  try {
    resolved(request);
  } catch (error) {
    if (error instanceof GatewayError) return errorBodyOf(error);
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a run of a registered workflow', () => {
  it('is the vendor’s workflow with the defaults and the time of the file', () => {
    expect(resolved({ inputs: { ticket: 'x' } })).toMatchObject({
      upstreamWorkflow: 'wf_canary',
      defaults: { tone: 'dry' },
      timeoutMs: 120_000,
    });
  });

  it('may ask for less time, and gets no more', () => {
    expect(resolved({ inputs: { ticket: 'x' }, timeoutS: 10 }).timeoutMs).toBe(10_000);
    expect(resolved({ inputs: { ticket: 'x' }, timeoutS: 1_000 }).timeoutMs).toBe(120_000);
    expect(resolved({ workflow: 'plain', timeoutS: 1_000 }).timeoutMs).toBe(1_000_000);
  });

  it.each([
    [{}, 'inputs.ticket', 'inputs.ticket: required.'],
    [{ ticket: 1 }, 'inputs.ticket', 'inputs.ticket: expected string.'],
    [{ ticket: 'x', tone: 'loud' }, 'inputs.tone', 'inputs.tone: expected one of "dry", "warm".'],
    [{ ticket: 'x', y: 1 }, 'inputs.y', 'inputs.y: expected no field of this name; there are ticket, tone.'],
  ])('is refused where its inputs %j do not fit the schema', (inputs, param, message) => {
    expect(refusal({ inputs })).toMatchObject({ status: 400, code: 'invalid_request', param, message });
  });

  it('is refused where nothing has its name', () => {
    expect(refusal({ workflow: 'gone' })).toMatchObject({ status: 404, code: 'unknown_workflow', param: 'workflow' });
  });

  it('takes any inputs where it has no schema', () => {
    expect(resolved({ workflow: 'plain', inputs: { anything: [1] } }).upstreamWorkflow).toBe('wf_2');
  });
});

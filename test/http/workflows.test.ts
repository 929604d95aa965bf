import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseConfig } from '../../src/config/parse-config.ts';
import { errorBodyOf, GatewayError } from '../../src/core/errors.ts';
import {
  defineProvider,
  nothing,
  path,
  plainWorkflowId,
  post,
  type AnyProviderKind,
} from '../../src/providers/define-provider.ts';
import { running } from '../../src/providers/outcome.ts';
import { createRegistry } from '../../src/providers/registry.ts';
import { resolveFallback, resolveRun } from '../../src/runs/resolve-run.ts';
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

const slow = defineProvider({ ...kind, kind: 'slow', title: 'Slow', options: nothing, defaultTimeoutS: 900 });

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
  spread:
    targets:
      - { provider: vendor, workflow: wf_old, weight: 0 }
      - { provider: vendor, workflow: wf_9, weight: 9 }
      - { provider: other, workflow: wf_1 }
    sticky_by: user_id
    fallbacks:
      - { provider: other, workflow: wf_1 }
      - { provider: slow, workflow: wf_slow, when: [upstream_unreachable] }
  mixed:
    targets: [{ provider: slow, workflow: wf_slow, weight: 0 }, { provider: vendor, workflow: wf_2 }]
`;
const kinds = [kind, slow];
const config = await parseConfig(FILE, 'rungate.yaml', { kinds, environment: null });
const registry = createRegistry({ kinds, ...config });

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
      // Of several targets the first that runs go to; a run may go to the one without a credential.
      expect.objectContaining({ name: 'spread', provider: 'vendor', timeout_s: 330, credential: 'missing' }),
      expect.objectContaining({ name: 'mixed', provider: 'vendor', timeout_s: 330, credential: 'present' }),
    ]);
    expect(text).not.toContain('wf_');
    expect(text.toLowerCase()).not.toContain('canary');
  });

  it('shows a key with an allow-list only what is on it', async () => {
    const listed = async (allowed: { allowedWorkflows?: string[]; allowedProviders?: string[] }) => {
      await using app = await startRunsApp({
        registry: () => registry,
        authenticate: async () => callerWith('runs', allowed),
      });
      const answer = await fetch(`${app.url}/workflows`, { headers: { authorization: 'Bearer any' } });
      return ((await answer.json()) as Listed).data.map(({ name }) => name);
    };
    expect(await listed({ allowedWorkflows: ['plain', 'gone'] })).toEqual(['plain']);
    expect(await listed({ allowedProviders: ['vendor'] })).toEqual([]);
    expect(await listed({})).toEqual(['summarize-ticket', 'plain', 'spread', 'mixed']);
  });

  it('wants a key, and knows no single workflow', async () => {
    await using app = await startRunsApp({ registry: () => registry });
    expect((await fetch(`${app.url}/workflows`)).status).toBe(401);
    const one = await fetch(`${app.url}/workflows/plain`, { headers: { authorization: 'Bearer runs' } });
    expect(one.status).toBe(404);
  });
});

const never = () => {
  throw new Error('nothing was to be left to chance');
};

function resolved(request: Partial<RunRequest>, chance: () => number = never) {
  const whole: RunRequest = {
    workflow: 'summarize-ticket',
    inputs: {},
    options: {},
    onDisconnect: 'continue',
    webhook: null,
    metadata: {},
    tags: [],
    ...request,
  };
  return resolveRun(registry, whole, chance);
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

describe('a run of a workflow with several targets', () => {
  it('goes to one of them by chance, as often as its weight has it', () => {
    const goesTo = (share: number) => {
      const { provider, upstreamWorkflow } = resolved({ workflow: 'spread' }, () => share);
      return [provider.name, upstreamWorkflow];
    };
    expect(goesTo(0)).toEqual(['vendor', 'wf_9']);
    expect(goesTo(0.899)).toEqual(['vendor', 'wf_9']);
    expect(goesTo(0.901)).toEqual(['other', 'wf_1']);
    expect(goesTo(0.999)).toEqual(['other', 'wf_1']);
  });

  it('leaves nothing to chance where the caller has sent the sticky key', () => {
    const metadata = { user_id: 'user-42' };
    const first = resolved({ workflow: 'spread', metadata });
    expect(resolved({ workflow: 'spread', metadata: { ...metadata, other: 'x' } })).toEqual(first);
    expect(resolved({ workflow: 'spread', metadata: { other: 'x' } }, () => 0.95).upstreamWorkflow).toBe('wf_1');
  });

  it('falls back to every place but the one that it goes to first', () => {
    const fallbacks = (share: number) =>
      resolved({ workflow: 'spread' }, () => share).fallbacks.map(({ provider, workflow }) => [provider, workflow]);
    expect(fallbacks(0)).toEqual([
      ['other', 'wf_1'],
      ['slow', 'wf_slow'],
    ]);
    expect(fallbacks(0.95)).toEqual([['slow', 'wf_slow']]);
    expect(resolved({ workflow: 'plain' }).fallbacks).toEqual([]);
    expect(resolved({ provider: 'vendor', workflow: 'wf_9' }).fallbacks).toEqual([]);
  });

  it('has the usual time of the kind that it goes to', () => {
    expect(resolved({ workflow: 'mixed' }).timeoutMs).toBe(330_000);
    expect(resolved({ workflow: 'mixed', timeoutS: 10 }).timeoutMs).toBe(10_000);
  });

  it('takes only options that each of them takes, so that none is refused by chance', () => {
    expect(resolved({ workflow: 'plain', options: { version: 1 } }).options).toEqual({ version: 1 });
    expect(refusal({ workflow: 'mixed', options: { version: 1 } })).toMatchObject({
      code: 'unknown_option',
      param: 'options.version',
      message: 'Slow has no option named "version".',
    });
    expect(refusal({ workflow: 'mixed', options: { nope: 1 } })).toMatchObject({ code: 'unknown_option' });
    expect(refusal({ workflow: 'spread', options: { version: 'x' } })).toMatchObject({ code: 'invalid_request' });
  });
});

describe('a fallback', () => {
  const run = { kind: 'vendor', options: { version: 1 } };
  const when = ['upstream_unreachable'] as const;

  it('is where the configuration has it now, with the run’s options where the kind is the same', () => {
    expect(resolveFallback(registry, run, { provider: 'other', workflow: 'wf_1', when })).toMatchObject({
      provider: { name: 'other', baseUrl: 'https://canary.example' },
      upstreamWorkflow: 'wf_1',
      options: { version: 1 },
    });
  });

  it('begins without options at another kind', () => {
    expect(resolveFallback(registry, run, { provider: 'slow', workflow: 'wf_slow', when })?.options).toEqual({});
  });

  it('is none where its provider is gone, or its kind cannot take it any more', () => {
    expect(resolveFallback(registry, run, { provider: 'gone', workflow: 'wf_1', when })).toBeNull();
    expect(resolveFallback(registry, run, { provider: 'slow', workflow: 'a/b', when })).toBeNull();
    const options = z.strictObject({ needed: z.string() });
    const strict = { ...kind, kind: 'strict', options } satisfies AnyProviderKind;
    const changed = createRegistry({ kinds: [kind, strict], providers: {}, workflows: [] });
    expect(resolveFallback(changed, run, { provider: 'strict', workflow: 'wf_1', when })).toBeNull();
  });
});

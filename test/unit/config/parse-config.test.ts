import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError, describeFault } from '../../../src/config/config-error.ts';
import { FALLBACK_CODES_DEFAULT } from '../../../src/config/fallback-codes.ts';
import { parseConfig } from '../../../src/config/parse-config.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';
import { ACCESS_FAULTS } from './access-faults.ts';
import { FAULTS } from './config-faults.ts';
import { TARGET_FAULTS } from './target-faults.ts';

const environment = { AI_TUTOR_KEY: 'sk_1' };

async function parse(text: string) {
  return parseConfig(text, 'rungate.yaml', { kinds: PROVIDER_KINDS, environment });
}

async function faultsOf(text: string): Promise<string[]> {
  try {
    await parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(describeFault);
    throw error;
  }
  return [];
}

describe('rungate.yaml', () => {
  it('is read in turns, so that a process serves meanwhile', async () => {
    const lines = Array.from({ length: 20 }, (_, i) => {
      return `  w${i}: { provider: b3os, workflow: wf_${i}, inputs: { type: object, minProperties: ${i} } }`;
    });
    const text = ['workflows:', ...lines].join('\n');
    const context = { kinds: PROVIDER_KINDS, environment };
    let turns = 0;
    const reader = { done: false };
    const reading = parseConfig(text, 'rungate.yaml', context).finally(() => (reader.done = true));
    for (; !reader.done; turns++) await setImmediate();
    expect(turns).toBeGreaterThanOrEqual(lines.length);
    expect((await reading).workflows.map(({ name }) => name)).toEqual(lines.map((_, i) => `w${i}`));
    await expect(parse(`${text}\nx: 1`)).rejects.toThrow('rungate.yaml:22:1');
  });

  it('is read no further once that is of no use', async () => {
    const lines = Array.from({ length: 20 }, (_, i) => `  w${i}: { provider: b3os, workflow: wf_${i} }`);
    const stopping = new AbortController();
    const context = { kinds: PROVIDER_KINDS, environment, signal: stopping.signal };
    const reading = parseConfig(['workflows:', ...lines].join('\n'), 'rungate.yaml', context);
    stopping.abort(new Error('the process ends'));
    await expect(reading).rejects.toThrow('the process ends');
  });

  it('says what the registry needs', async () => {
    const config = await parse(`
workflows:
  summarize-ticket:
    provider: tutor
    workflow: wf_abc123
    description: Summarises a support ticket
    defaults: { tone: dry, length: 3 }
    timeout_s: 120
  plain: { provider: draft-and-goal, workflow: 0cf35172-859e-4b26-8ce9-6c2588a77b40 }
providers:
  ai-tutor:
    credentials: [env:AI_TUTOR_KEY]
  b3os: { settings: { org_id: org_1 } }
  tutor:
    kind: ai-tutor
    base_url: http://127.0.0.1:9000/tutor/
    allow_private_network: true
  draft-and-goal:
`);
    const registry = createRegistry({ kinds: PROVIDER_KINDS, ...config });
    expect(registry.workflows()).toEqual([
      {
        name: 'summarize-ticket',
        targets: [{ provider: 'tutor', workflow: 'wf_abc123', weight: 1 }],
        stickyBy: null,
        fallbacks: [],
        description: 'Summarises a support ticket',
        inputs: null,
        validateInputs: expect.any(Function),
        defaults: { tone: 'dry', length: 3 },
        timeoutS: 120,
      },
      {
        name: 'plain',
        targets: [{ provider: 'draft-and-goal', workflow: '0cf35172-859e-4b26-8ce9-6c2588a77b40', weight: 1 }],
        stickyBy: null,
        fallbacks: [],
        description: null,
        inputs: null,
        validateInputs: expect.any(Function),
        defaults: {},
        timeoutS: null,
      },
    ]);
    expect(registry.provider('ai-tutor')).toMatchObject({
      credentials: [{ reference: 'env:AI_TUTOR_KEY', weight: 1 }],
    });
    expect(registry.provider('b3os')).toMatchObject({ settings: { org_id: 'org_1' } });
    expect(registry.provider('tutor')).toMatchObject({
      baseUrl: 'http://127.0.0.1:9000/tutor',
      allowPrivateNetwork: true,
      kind: { kind: 'ai-tutor' },
    });
  });

  it('says how much a provider is sent, and how long a call may take', async () => {
    const { providers } = await parse(`
providers:
  ai-tutor:
    credentials: [{ ref: env:AI_TUTOR_KEY, weight: 3 }]
    limits: { concurrency: 20, requests_per_minute: 600, per_credential: { requests_per_minute: 60 } }
    timeouts: { headers_s: 1.5, idle_s: 0.01, total_s: 600 }
  b3os: { limits: { per_credential: { concurrency: 1 } }, timeouts: {} }
`);
    expect(providers['ai-tutor']).toMatchObject({
      credentials: [{ reference: 'env:AI_TUTOR_KEY', weight: 3 }],
      limits: {
        concurrency: 20,
        requestsPerMinute: 600,
        perCredential: { concurrency: null, requestsPerMinute: 60 },
      },
      timeouts: { headersMs: 1500, idleMs: 10, totalMs: 600_000 },
    });
    expect(providers.b3os).toMatchObject({
      limits: {
        concurrency: null,
        requestsPerMinute: null,
        perCredential: { concurrency: 1, requestsPerMinute: null },
      },
      timeouts: { headersMs: null, idleMs: null, totalMs: null },
    });
  });

  it('says where the runs of a workflow go, and where when they cannot', async () => {
    const { workflows } = await parse(`
workflows:
  canary:
    targets: [{ provider: b3os, workflow: a, weight: 9 }, { provider: b3os, workflow: b }, { provider: ai-tutor, workflow: a, weight: 0 }]
    sticky_by: user_id
    fallbacks:
      - { provider: ai-tutor, workflow: a }
      - { provider: b3os, workflow: a, when: [upstream_forbidden, upstream_unreachable] }
`);
    expect(workflows[0]).toMatchObject({
      targets: [
        { provider: 'b3os', workflow: 'a', weight: 9 },
        { provider: 'b3os', workflow: 'b', weight: 1 },
        { provider: 'ai-tutor', workflow: 'a', weight: 0 },
      ],
      stickyBy: 'user_id',
      fallbacks: [
        { provider: 'ai-tutor', workflow: 'a', when: FALLBACK_CODES_DEFAULT },
        { provider: 'b3os', workflow: 'a', when: ['upstream_unreachable', 'upstream_forbidden'] },
      ],
    });
  });

  it.each([[''], ['# nothing'], ['{}'], ['providers:'], ['providers: {}\nworkflows:\n']])(
    'may say nothing: %j',
    async (text) => {
      expect(await parse(text)).toEqual({ providers: {}, workflows: [], access: { origins: new Set(), issuers: [] } });
    },
  );

  it('may repeat a value by alias', async () => {
    const text = 'providers: { ai-tutor: &x { credentials: [env:AI_TUTOR_KEY] }, b3os: *x }';
    expect((await parse(text)).providers.b3os).toMatchObject({
      credentials: [{ reference: 'env:AI_TUTOR_KEY', weight: 1 }],
    });
  });

  it('keeps defaults that are named like properties of every object', async () => {
    const { workflows } = await parse(
      'workflows: { w: { provider: b3os, workflow: w, defaults: { __proto__: { a: 1 } } } }',
    );
    expect(Object.keys(workflows[0]?.defaults ?? {})).toEqual(['__proto__']);
  });

  it('does not look references up where no environment is given', async () => {
    const text = 'providers: { ai-tutor: { credentials: [env:NOT_SET] } }';
    expect(await faultsOf(text)).toHaveLength(1);
    expect((await parseConfig(text, 'f', { kinds: PROVIDER_KINDS, environment: null })).providers).toHaveProperty(
      'ai-tutor',
    );
  });
});

describe('access', () => {
  it('says which pages may come, and who signs users in', async () => {
    const { access } = await parse(`
access:
  origins: [https://app.example.com, http://localhost:5173]
  issuers:
    - { issuer: https://id.example.com/, audience: gateway, key: 0123456789abcdef }
    - issuer: http://id.internal
      audience: gateway
      jwks_uri: http://id.internal/keys?p=b2c
      algorithms: [ES256, EdDSA, ES256]
      key: zzzz456789abcdef
      subject_claim: email
      allow_private_network: true
`);
    expect(access).toEqual({
      origins: new Set(['https://app.example.com', 'http://localhost:5173']),
      issuers: [
        {
          issuer: 'https://id.example.com/',
          audience: 'gateway',
          jwksUri: null,
          algorithms: ['RS256'],
          keyId: '0123456789abcdef',
          subjectClaim: 'sub',
          allowPrivateNetwork: false,
        },
        {
          issuer: 'http://id.internal',
          audience: 'gateway',
          jwksUri: 'http://id.internal/keys?p=b2c',
          algorithms: ['ES256', 'EdDSA'],
          keyId: 'zzzz456789abcdef',
          subjectClaim: 'email',
          allowPrivateNetwork: true,
        },
      ],
    });
  });
});

describe('a fault of rungate.yaml', () => {
  it.each([...FAULTS, ...TARGET_FAULTS, ...ACCESS_FAULTS])(
    'such as %s is shown with its place',
    async (_, text, fault) => {
      const faults = await faultsOf(text);
      expect(faults[0]).toBe(`rungate.yaml:${fault}`);
      expect(faults.join('\n')).not.toContain('hunter2');
    },
  );

  it('comes with all others, in the order of the file', async () => {
    const faults = await faultsOf(`workflows:
  w: { provider: nope, workflow: a/b, timeout_s: 0 }
  W: { provider: b3os, workflow: a/b }
providers:
  b3os:
    base_url: http://x
    nope: 1
    limits: []
  b3os: {}
`);
    expect(faults.map((fault) => fault.split(' ').slice(0, 2).join(' '))).toEqual([
      'rungate.yaml:2:18 workflows.w.provider:',
      'rungate.yaml:2:50 workflows.w.timeout_s:',
      'rungate.yaml:3:3 workflows.W:',
      'rungate.yaml:3:34 workflows.W.workflow:',
      'rungate.yaml:6:15 providers.b3os.base_url:',
      'rungate.yaml:7:5 providers.b3os.nope:',
      'rungate.yaml:8:13 providers.b3os.limits:',
      'rungate.yaml:9:3 providers.b3os:',
    ]);
  });

  it('in one target, fallback or credential hides none in the others', async () => {
    const faults = await faultsOf(`workflows:
  w:
    targets:
      - { provider: nope, workflow: a, weight: many }
      - { provider: b3os, workflow: a/b }
      - b3os
    fallbacks:
      - { provider: b3os, workflow: c, when: [nope] }
      - { provider: gone, workflow: c }
providers:
  b3os:
    credentials: [1, { ref: hunter2 }, env:NOT_SET]
    limits: { concurrency: 0, per_credential: { concurrency: 0 } }
`);
    expect(faults.map((fault) => fault.split(' ')[1])).toEqual([
      'workflows.w.targets[0].provider:',
      'workflows.w.targets[0].weight:',
      'workflows.w.targets[1].workflow:',
      'workflows.w.targets[2]:',
      'workflows.w.fallbacks[0].when[0]:',
      'workflows.w.fallbacks[1].provider:',
      'providers.b3os.credentials[0]:',
      'providers.b3os.credentials[1].ref:',
      'providers.b3os.credentials[2]:',
      'providers.b3os.limits.concurrency:',
      'providers.b3os.limits.per_credential.concurrency:',
    ]);
  });

  it('is found in a wide, a deep or an exploding file without delay', { timeout: 20_000 }, async () => {
    const wide = `providers:\n${Array.from({ length: 99_000 }, (_, i) => ` k${i}:`).join('\n')}`;
    expect((await faultsOf(wide)).length).toBeGreaterThan(90_000);
    expect((await faultsOf(`a: ${'['.repeat(5000)}`)).join()).toContain('levels');
    const lines = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]`);
    expect((await faultsOf(['a0: &a0 [1,1]', ...lines].join('\n'))).join()).toContain('expected at most 100000 values');
  });

  it('is the only thing that any text can cause', async () => {
    const pieces = [
      'providers',
      'workflows',
      'targets',
      'fallbacks',
      'credentials',
      'limits',
      'b3os',
      'w',
      ': ',
      '\n',
      '  ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '!t ',
      '"',
      "'",
      '#',
      '|',
      '? ',
      '%',
      '---',
      '1',
      'null',
      '\t',
      'ü',
      '<<',
      '__proto__',
    ];
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.constantFrom(...pieces)).map((parts) => parts.join('')),
    );
    await fc.assert(
      fc.asyncProperty(text, async (text) => {
        expect((await faultsOf(text)).every((fault) => /^rungate\.yaml:\d+:\d+/.test(fault))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

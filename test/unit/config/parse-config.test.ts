import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError, describeFault } from '../../../src/config/config-error.ts';
import { parseConfig, parseConfigInTurns, type Config } from '../../../src/config/parse-config.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';
import { FAULTS } from './config-faults.ts';

const environment = { AI_TUTOR_KEY: 'sk_1' };

function parse(text: string) {
  return parseConfig(text, 'rungate.yaml', { kinds: PROVIDER_KINDS, environment });
}

function faultsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(describeFault);
    throw error;
  }
  return [];
}

describe('rungate.yaml', () => {
  it('is read in turns by a process that serves, which end like the reading at once', async () => {
    const lines = Array.from({ length: 20 }, (_, i) => {
      return `  w${i}: { provider: b3os, workflow: wf_${i}, inputs: { type: object, minProperties: ${i} } }`;
    });
    const text = ['workflows:', ...lines].join('\n');
    const context = { kinds: PROVIDER_KINDS, environment };
    const names = ({ workflows }: Config) => workflows.map(({ name }) => name);
    let turns = 0;
    const reader = { done: false };
    const reading = parseConfigInTurns(text, 'rungate.yaml', context).finally(() => (reader.done = true));
    for (; !reader.done; turns++) await setImmediate();
    expect(turns).toBeGreaterThanOrEqual(lines.length);
    expect(names(await reading)).toEqual(names(parse(text)));
    await expect(parseConfigInTurns(`${text}\nx: 1`, 'rungate.yaml', context)).rejects.toThrow('rungate.yaml:22:1');
  });

  it('says what the registry needs', () => {
    const config = parse(`
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
        provider: 'tutor',
        workflow: 'wf_abc123',
        description: 'Summarises a support ticket',
        inputs: null,
        validateInputs: expect.any(Function),
        defaults: { tone: 'dry', length: 3 },
        timeoutS: 120,
      },
      {
        name: 'plain',
        provider: 'draft-and-goal',
        workflow: '0cf35172-859e-4b26-8ce9-6c2588a77b40',
        description: null,
        inputs: null,
        validateInputs: expect.any(Function),
        defaults: {},
        timeoutS: null,
      },
    ]);
    expect(registry.provider('ai-tutor')).toMatchObject({ credentials: ['env:AI_TUTOR_KEY'] });
    expect(registry.provider('b3os')).toMatchObject({ settings: { org_id: 'org_1' } });
    expect(registry.provider('tutor')).toMatchObject({
      baseUrl: 'http://127.0.0.1:9000/tutor',
      allowPrivateNetwork: true,
      kind: { kind: 'ai-tutor' },
    });
  });

  it.each([[''], ['# nothing'], ['{}'], ['providers:'], ['providers: {}\nworkflows:\n']])(
    'may say nothing: %j',
    (text) => {
      expect(parse(text)).toEqual({ providers: {}, workflows: [] });
    },
  );

  it('may repeat a value by alias', () => {
    const text = 'providers: { ai-tutor: &x { credentials: [env:AI_TUTOR_KEY] }, b3os: *x }';
    expect(parse(text).providers.b3os).toMatchObject({ credentials: ['env:AI_TUTOR_KEY'] });
  });

  it('keeps defaults that are named like properties of every object', () => {
    const { workflows } = parse('workflows: { w: { provider: b3os, workflow: w, defaults: { __proto__: { a: 1 } } } }');
    expect(Object.keys(workflows[0]?.defaults ?? {})).toEqual(['__proto__']);
  });

  it('does not look references up where no environment is given', () => {
    const text = 'providers: { ai-tutor: { credentials: [env:NOT_SET] } }';
    expect(faultsOf(text)).toHaveLength(1);
    expect(parseConfig(text, 'f', { kinds: PROVIDER_KINDS, environment: null }).providers).toHaveProperty('ai-tutor');
  });
});

describe('a fault of rungate.yaml', () => {
  it.each(FAULTS)('such as %s is shown with its place', (_, text, fault) => {
    const faults = faultsOf(text);
    expect(faults[0]).toBe(`rungate.yaml:${fault}`);
    expect(faults.join('\n')).not.toContain('hunter2');
  });

  it('comes with all others, in the order of the file', () => {
    const faults = faultsOf(`workflows:
  w: { provider: nope, workflow: a/b, timeout_s: 0 }
  W: { provider: b3os, workflow: a/b }
providers:
  b3os:
    base_url: http://x
    nope: 1
    limits: {}
  b3os: {}
`);
    expect(faults.map((fault) => fault.split(' ').slice(0, 2).join(' '))).toEqual([
      'rungate.yaml:2:18 workflows.w.provider:',
      'rungate.yaml:2:50 workflows.w.timeout_s:',
      'rungate.yaml:3:3 workflows.W:',
      'rungate.yaml:3:34 workflows.W.workflow:',
      'rungate.yaml:6:15 providers.b3os.base_url:',
      'rungate.yaml:7:5 providers.b3os.nope:',
      'rungate.yaml:8:5 providers.b3os.limits:',
      'rungate.yaml:9:3 providers.b3os:',
    ]);
  });

  it('is found in a wide, a deep or an exploding file without delay', { timeout: 20_000 }, () => {
    const wide = `providers:\n${Array.from({ length: 99_000 }, (_, i) => ` k${i}:`).join('\n')}`;
    expect(faultsOf(wide).length).toBeGreaterThan(90_000);
    expect(faultsOf(`a: ${'['.repeat(5000)}`).join()).toContain('levels');
    const lines = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]`);
    expect(faultsOf(['a0: &a0 [1,1]', ...lines].join('\n')).join()).toContain('expected at most 100000 values');
  });

  it('is the only thing that any text can cause', () => {
    const pieces = [
      'providers',
      'workflows',
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
    fc.assert(
      fc.property(text, (text) => {
        expect(faultsOf(text).every((fault) => /^rungate\.yaml:\d+:\d+/.test(fault))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError, describeFault } from '../../../src/config/config-error.ts';
import { parseConfig } from '../../../src/config/parse-config.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';

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
        defaults: { tone: 'dry', length: 3 },
        timeoutS: 120,
      },
      {
        name: 'plain',
        provider: 'draft-and-goal',
        workflow: '0cf35172-859e-4b26-8ce9-6c2588a77b40',
        description: null,
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

const workflow = (fields: string) => `workflows: { w: { provider: b3os, workflow: wf_1, ${fields} } }`;
const provider = (fields: string) => `providers: { b3os: { ${fields} } }`;
const ORG_ID_FAULT = 'expected an organization id such as org_abc123';

const FAULTS: [string, string, string][] = [
  [
    'broken syntax',
    'providers: [',
    '1:13: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  ['a tab', 'providers:\n\tb3os: {}', '2:1: not valid YAML: Tabs are not allowed as indentation'],
  ['two documents', '{}\n---\n{}', '2:1: expected one document'],
  ['a tag', provider('kind: !secret hunter2'), '1:28: not valid YAML: Unresolved tag'],
  ['a list', '- a', '1:1: expected object, received array'],
  ['a text', 'hello', '1:1: expected object, received string'],
  ['an unknown part', 'provider: {}', '1:1 provider: unknown field; did you mean providers?'],
  ['another unknown part', 'server: {}', '1:1 server: unknown field; expected one of providers, workflows'],
  ['a part of another type', 'providers: []', '1:12 providers: expected an object'],
  ['a key twice', 'providers:\n  b3os: {}\n  b3os: {}', '3:3 providers.b3os: expected each key once'],
  [
    'a name in capitals',
    'providers: { B3OS: { kind: b3os } }',
    '1:14 providers.B3OS: expected a name of 1 to 63 lower-case letters, digits and hyphens, beginning with no hyphen',
  ],
  [
    'an unknown kind',
    'providers: { x: { kind: b4os } }',
    '1:25 providers.x.kind: expected one of ai-tutor, b3os, draft-and-goal; did you mean b3os?',
  ],
  [
    'a name that is no kind',
    'providers:\n  dify: {}',
    '2:3 providers.dify: needs a kind, as its name is none: expected one of ai-tutor, b3os, draft-and-goal',
  ],
  ['an unknown field', provider('baseurl: x'), '1:22 providers.b3os.baseurl: unknown field; did you mean base_url?'],
  [
    'limits',
    provider('limits: { concurrency: 1 }'),
    '1:22 providers.b3os.limits: limits is not supported by this version',
  ],
  ['a schema of inputs', workflow('inputs: {}'), '1:51 workflows.w.inputs: inputs is not supported by this version'],
  ['fallbacks', workflow('fallbacks: []'), '1:51 workflows.w.fallbacks: fallbacks is not supported by this version'],
  ['targets', workflow('targets: []'), '1:51 workflows.w.targets: targets is not supported by this version'],
  [
    'an unknown setting',
    provider('settings: { org: 1 }'),
    '1:34 providers.b3os.settings.org: unknown field; expected one of org_id',
  ],
  ['a wrong setting', provider('settings: { org_id: acme }'), `1:42 providers.b3os.settings.org_id: ${ORG_ID_FAULT}`],
  [
    'a private flag that is none',
    provider('allow_private_network: yes'),
    '1:45 providers.b3os.allow_private_network: expected boolean, received string',
  ],
  [
    'plain http',
    provider('base_url: "http://vendor.example"'),
    '1:32 providers.b3os.base_url: expected https://; http:// is only for private networks, with allow_private_network: true',
  ],
  [
    'another scheme',
    provider('base_url: "ftp://vendor.example"'),
    '1:32 providers.b3os.base_url: expected an https:// URL',
  ],
  ['no URL', provider('base_url: vendor.example'), '1:32 providers.b3os.base_url: expected an https:// URL'],
  [
    'a URL with a space',
    provider('base_url: "https://vendor.example/a b"'),
    '1:32 providers.b3os.base_url: expected an https:// URL',
  ],
  [
    'a URL with a password',
    provider('base_url: "https://u:hunter2@vendor.example"'),
    '1:32 providers.b3os.base_url: expected a URL without user and password',
  ],
  [
    'a URL with a query',
    provider('base_url: "https://vendor.example/?key=hunter2"'),
    '1:32 providers.b3os.base_url: expected a URL without query and fragment',
  ],
  [
    'a URL with a fragment',
    provider('base_url: "https://vendor.example/#"'),
    '1:32 providers.b3os.base_url: expected a URL without query and fragment',
  ],
  [
    'a secret instead of a reference',
    provider('credentials: [hunter2]'),
    '1:36 providers.b3os.credentials[0]: expected a reference to a secret, such as env:AI_TUTOR_KEY, and never the secret itself',
  ],
  [
    'a file reference',
    provider('credentials: ["file:/k"]'),
    '1:36 providers.b3os.credentials[0]: file: references are not supported by this version; use env:NAME',
  ],
  [
    'an unset variable',
    provider('credentials: [env:AI_TUTOR_KEY, env:NOT_SET]'),
    '1:54 providers.b3os.credentials[1]: expected the environment to have it: env:NOT_SET is not set',
  ],
  [
    'a credential that is no list',
    provider('credentials: env:AI_TUTOR_KEY'),
    '1:35 providers.b3os.credentials: expected array, received string',
  ],
  [
    'a workflow without provider',
    'workflows:\n  w:\n    workflow: wf_1',
    '2:3 workflows.w.provider: required: expected string',
  ],
  ['a workflow of nothing', 'workflows:\n  w:', '2:3 workflows.w.provider: required: expected string'],
  [
    'a provider that is not there',
    'workflows: { w: { provider: b3sos, workflow: wf_1 } }',
    '1:29 workflows.w.provider: no provider of this name; did you mean b3os?',
  ],
  [
    'a workflow id with a slash',
    'workflows: { w: { provider: b3os, workflow: a/b } }',
    '1:45 workflows.w.workflow: expected 1 to 200 letters, digits or . _ ~ : @ -, beginning with a letter or digit',
  ],
  [
    'a workflow id that is a number',
    'workflows: { w: { provider: b3os, workflow: 17 } }',
    '1:45 workflows.w.workflow: expected string, received number',
  ],
  ['a timeout of nothing', workflow('timeout_s: 0'), '1:62 workflows.w.timeout_s: expected number to be >=1'],
  ['a timeout over a day', workflow('timeout_s: 86401'), '1:62 workflows.w.timeout_s: expected number to be <=86400'],
  ['a timeout with a unit', workflow('timeout_s: 2m'), '1:62 workflows.w.timeout_s: expected number, received string'],
  ['defaults that are a list', workflow('defaults: []'), '1:61 workflows.w.defaults: expected an object'],
  [
    'a default that JSON does not have',
    workflow('defaults: { a: .nan }'),
    '1:66 workflows.w.defaults.a: expected a value that JSON has',
  ],
  [
    'a default that would lose digits',
    workflow('defaults: { a: 12345678901234567890 }'),
    '1:66 workflows.w.defaults.a: expected a number of at most 15 digits; put quotes around a longer one',
  ],
  [
    'an alias of itself',
    workflow('defaults: &d { a: *d }'),
    '1:69 workflows.w.defaults.a: expected an alias of a value further up',
  ],
];

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

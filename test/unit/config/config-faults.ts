import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';

const KINDS = PROVIDER_KINDS.map(({ kind }) => kind).join(', ');

export const workflow = (fields: string) => `workflows: { w: { provider: b3os, workflow: wf_1, ${fields} } }`;
export const provider = (fields: string) => `providers: { b3os: { ${fields} } }`;
const TARGET_MISSING = 'required: expected a string, or targets instead of provider and workflow';
const ORG_ID_FAULT = 'expected an organization id such as org_abc123';

/** What can be wrong: its name, a file that has it, and the first fault that is told, with its place. */
export const FAULTS: [string, string, string][] = [
  [
    'broken syntax',
    'providers: [',
    '1:13: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  ['a directive', '%sk-live-0123 hunter2', '1:1: not valid YAML: a directive that is not known'],
  ['a version', '%YAML hunter2', '1:7: not valid YAML: a directive that is not known'],
  ['a tag without an end', '!hunter2! a', '1:1: not valid YAML: The tag has no suffix'],
  ['a tab', 'providers:\n\tb3os: {}', '2:1: not valid YAML: Tabs are not allowed as indentation'],
  ['two documents', '{}\n---\n{}', '2:1: expected one document'],
  ['a tag', provider('kind: !secret hunter2'), '1:28: not valid YAML: Unresolved tag'],
  ['a list', '- a', '1:1: expected an object, not a list'],
  ['a text', 'hello', '1:1: expected an object, not a string'],
  ['an unknown part', 'provider: {}', '1:1 provider: unknown field; did you mean providers?'],
  ['another unknown part', 'server: {}', '1:1 server: unknown field; expected one of providers, workflows, access'],
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
    `1:25 providers.x.kind: expected one of ${KINDS}; did you mean b3os?`,
  ],
  [
    'a name that is no kind',
    'providers:\n  dify: {}',
    `2:3 providers.dify: needs a kind, as its name is none: expected one of ${KINDS}`,
  ],
  ['an unknown field', provider('baseurl: x'), '1:22 providers.b3os.baseurl: unknown field; did you mean base_url?'],
  ['a schema of inputs that is none', workflow('inputs: string'), '1:59 workflows.w.inputs: expected an object'],
  [
    'a type that JSON Schema does not have',
    workflow('inputs: { properties: { a: { type: text } } }'),
    '1:86 workflows.w.inputs.properties.a.type: expected string, number, integer, boolean, array, object or null, or a list of them',
  ],
  [
    'a misspelt keyword',
    workflow('inputs: { requried: [a] }'),
    '1:61 workflows.w.inputs.requried: expected a keyword of JSON Schema 2020-12; did you mean required?',
  ],
  [
    'a keyword of an older draft',
    workflow('inputs: { definitions: { a: true } }'),
    '1:61 workflows.w.inputs.definitions: expected $defs',
  ],
  [
    'a limit that is no number',
    workflow('inputs: { allOf: [true, { minProperties: -1 }] }'),
    '1:92 workflows.w.inputs.allOf[1].minProperties: expected to be >= 0',
  ],
  [
    'a list of required names with one twice',
    workflow('inputs: { required: [a, a] }'),
    '1:71 workflows.w.inputs.required: expected no duplicate items (items ## 1 and 0 are identical)',
  ],
  [
    'a pattern that does not compile',
    workflow('inputs: { properties: { a: { pattern: "(" } } }'),
    '1:89 workflows.w.inputs.properties.a.pattern: expected a regular expression as JavaScript has them, with its u flag',
  ],
  [
    'a reference to another document',
    workflow('inputs: { $ref: "https://example.com/s.json" }'),
    '1:67 workflows.w.inputs.$ref: expected a reference into this schema, such as #/$defs/<name>; none is fetched',
  ],
  [
    'a reference to nothing',
    workflow('inputs: { $ref: "#/$defs/a", $defs: { b: true } }'),
    '1:67 workflows.w.inputs.$ref: expected a reference to something that this schema has',
  ],
  [
    'a schema that contains itself without an end',
    workflow('inputs: { $ref: "#" }'),
    '1:59 workflows.w.inputs: expected a schema that can be compiled: it contains itself without an end, or is too large',
  ],
  [
    'another dialect',
    workflow('inputs: { $schema: "http://json-schema.org/draft-07/schema#" }'),
    '1:70 workflows.w.inputs.$schema: expected https://json-schema.org/draft/2020-12/schema, or no $schema',
  ],
  [
    'a default that does not fit the inputs',
    workflow('inputs: { required: [b], properties: { a: { type: string } } }, defaults: { a: 1 }'),
    '1:130 workflows.w.defaults.a: does not fit inputs: expected string',
  ],
  [
    'a default that the inputs do not have',
    workflow('inputs: { additionalProperties: false }, defaults: { a: 1 }'),
    '1:107 workflows.w.defaults.a: does not fit inputs: expected no field of this name',
  ],
  [
    'an unknown setting',
    provider('settings: { org: 1 }'),
    '1:34 providers.b3os.settings.org: unknown field; expected one of org_id',
  ],
  ['a wrong setting', provider('settings: { org_id: acme }'), `1:42 providers.b3os.settings.org_id: ${ORG_ID_FAULT}`],
  [
    'a private flag that is none',
    provider('allow_private_network: yes'),
    '1:45 providers.b3os.allow_private_network: expected true or false, not a string',
  ],
  [
    'a private address',
    provider('base_url: "https://10.0.0.5"'),
    '1:32 providers.b3os.base_url: expected a public address; others are only for private networks, with allow_private_network: true',
  ],
  [
    'a link-local address in another form',
    provider('base_url: "https://[fe80::1]:8443/v1"'),
    '1:32 providers.b3os.base_url: expected a public address; others are only for private networks, with allow_private_network: true',
  ],
  [
    'loopback in short',
    provider('base_url: "https://127.1"'),
    '1:32 providers.b3os.base_url: expected a public address; others are only for private networks, with allow_private_network: true',
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
    'a file reference with a relative path',
    provider('credentials: ["file:./k"]'),
    '1:36 providers.b3os.credentials[0]: expected an absolute path, such as file:/run/secrets/ai-tutor',
  ],
  [
    'a reference to a secrets server without a field',
    provider('credentials: ["vault:kv/hunter2"]'),
    '1:36 providers.b3os.credentials[0]: expected vault:<mount>/<path>#<field>, such as vault:kv/vendors/ai-tutor#api_key: the field is missing',
  ],
  [
    'a reference to a secrets server that is not configured',
    provider('credentials: ["vault:kv/tutor#key"]'),
    '1:36 providers.b3os.credentials[0]: vault: references need RUNGATE_VAULT_ADDR, and how to log in there, in the server’s environment',
  ],
  [
    'an unset variable',
    provider('credentials: [env:AI_TUTOR_KEY, env:NOT_SET]'),
    '1:54 providers.b3os.credentials[1]: env:NOT_SET: set this variable in the server’s environment',
  ],
  [
    'a credential that is no list',
    provider('credentials: env:AI_TUTOR_KEY'),
    '1:35 providers.b3os.credentials: expected a list, not a string',
  ],
  [
    'a workflow without provider',
    'workflows:\n  w:\n    workflow: wf_1',
    `2:3 workflows.w.provider: ${TARGET_MISSING}`,
  ],
  ['a workflow of nothing', 'workflows:\n  w:', `2:3 workflows.w.provider: ${TARGET_MISSING}`],
  [
    'a provider whose name is like none',
    'workflows: { w: { provider: elsewhere, workflow: wf_1 } }',
    '1:29 workflows.w.provider: no provider of this name; there is ai-tutor, b3os, draft-and-goal, interactly',
  ],
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
    '1:45 workflows.w.workflow: expected a string, not a number',
  ],
  ['a timeout of nothing', workflow('timeout_s: 0'), '1:62 workflows.w.timeout_s: expected at least 1'],
  ['a timeout over a day', workflow('timeout_s: 86401'), '1:62 workflows.w.timeout_s: expected at most 86400'],
  ['a timeout with a unit', workflow('timeout_s: 2m'), '1:62 workflows.w.timeout_s: expected a number, not a string'],
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

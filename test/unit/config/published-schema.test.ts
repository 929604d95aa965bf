import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/parse-config.ts';
import { readYaml } from '../../../src/config/read-yaml.ts';
import { reviveJson, type JsonObject } from '../../../src/core/json.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { codeBlocks, readDocument, ROOT } from '../../support/documents.ts';
import { ACCESS_FAULTS, ISSUER, issuer } from './access-faults.ts';
import { FAULTS, provider, workflow } from './config-faults.ts';
import { TARGET_FAULTS, targets } from './target-faults.ts';

const schema = reviveJson<JsonObject>(readFileSync(join(ROOT, 'docs', 'rungate.schema.json'), 'utf8'));
const validate = new Ajv({ strict: true, strictTypes: false, strictRequired: false, validateFormats: false }).compile(
  schema,
);

function faultsOf(text: string): unknown[] {
  return validate(readYaml(text).value) ? [] : (validate.errors ?? []);
}

const ALL_FAULTS = [...FAULTS, ...TARGET_FAULTS, ...ACCESS_FAULTS];

/** What needs more than a look at the file's own values: the reader, the environment, other entries, a compiler, ranges of addresses. */
const BEYOND: readonly string[] = [
  'broken syntax',
  'a tab',
  'two documents',
  'a key twice',
  'a reference to a secrets server that is not configured',
  'an unset variable',
  'a provider whose name is like none',
  'a provider that is not there',
  'a private address',
  'a link-local address in another form',
  'loopback in short',
  'a workflow id with a slash',
  'a default that JSON does not have',
  'a default that would lose digits',
  'an alias of itself',
  'a limit that is no number',
  'a pattern that does not compile',
  'a reference to nothing',
  'a schema that contains itself without an end',
  'another dialect',
  'a default that does not fit the inputs',
  'a default that the inputs do not have',
  'an unset variable with a weight',
  'a reference twice',
  'a target of a provider that is not there',
  'a target whose id has a slash',
  'a target twice',
  'a fallback of a provider that is not there',
  'a fallback to the only target',
  'a fallback to the only one of the targets',
  'a fallback twice',
  'an issuer twice',
  'two issuers of one key',
];

describe('the published schema of rungate.yaml', () => {
  it.each(
    codeBlocks(readDocument('docs/configuration.md'))
      .filter(({ language }) => language === 'yaml')
      .map(({ text }) => [text]),
  )('takes the example of the documents', (text) => {
    expect(faultsOf(text)).toEqual([]);
  });

  it.each([
    ['{}'],
    ['providers:\nworkflows:\n'],
    ['providers:\n  draft-and-goal:\n  b3os: { settings: { org_id: org_1 }, credentials: }'],
    ['providers: { tutor: { kind: ai-tutor, base_url: "http://127.0.0.1:1/x", allow_private_network: true } }'],
    [provider('kind: ai-tutor, settings: {}')],
    [provider('base_url: null, kind: null, credentials: []')],
    [workflow('inputs: null, timeout_s: null')],
    [workflow('targets: null, sticky_by: null, fallbacks: null')],
    [workflow('fallbacks: [{ provider: ai-tutor, workflow: w }, { provider: ai-tutor, workflow: v, when: null }]')],
    [targets('{ provider: b3os, workflow: a, weight: 0 }, { provider: b3os, workflow: b, weight: null }')],
    [targets('{ provider: b3os, workflow: a, weight: 1000 }', ', provider: null, workflow: null, fallbacks: []')],
    [provider('credentials: [env:A, { ref: env:B }, { ref: env:C, weight: 1000 }]')],
    [provider('credentials: ["file:/run/secrets/a b", { ref: "vault:kv/a/b#c" }, "vault:team%2Fkv/a#b c"]')],
    [provider('limits: null, timeouts: null')],
    ['access:'],
    ['access: { origins: null, issuers: null }'],
    ['access: { origins: ["https://a.example", "http://localhost:5173", "http://[::1]:1"], issuers: [] }'],
    [issuer(ISSUER)],
    [
      issuer(
        `${ISSUER}, algorithms: [ES256, EdDSA], jwks_uri: "https://id.example.com/keys?p=b", subject_claim: email`,
      ),
    ],
    [issuer(`${ISSUER.replace('https://id', 'http://id')}, allow_private_network: true`)],
    [provider('limits: { concurrency: 100000, requests_per_minute: null, per_credential: null }')],
    [provider('limits: { per_credential: { concurrency: 1, requests_per_minute: 1000000 } }')],
    [provider('timeouts: { headers_s: 0.01, idle_s: 2.5, total_s: null }')],
    [
      workflow(
        'inputs: { properties: { a: { type: [string, "null"], default: 1, format: email } }, $defs: { b: true } }',
      ),
    ],
  ])('takes what the loader takes: %s', async (text) => {
    expect(faultsOf(text)).toEqual([]);
    const reading = parseConfig(text, 'rungate.yaml', { kinds: PROVIDER_KINDS, environment: null });
    await expect(reading).resolves.toBeDefined();
  });

  it.each(ALL_FAULTS.filter(([name]) => !BEYOND.includes(name)))('finds %s', (_, text) => {
    expect(faultsOf(text)).not.toEqual([]);
  });

  it('leaves to the loader only what JSON Schema cannot say', () => {
    const known = ALL_FAULTS.map(([name]) => name);
    expect(BEYOND.filter((name) => !known.includes(name))).toEqual([]);
    const found = ALL_FAULTS.filter(([name, text]) => BEYOND.includes(name) && faultsOf(text).length > 0);
    expect(found.filter(([, text]) => readYaml(text).complete)).toEqual([]);
  });
});

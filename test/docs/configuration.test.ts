import { describe, expect, it } from 'vitest';
import { JWT_ALGORITHMS } from '../../src/core/access-settings.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../src/providers/registry.ts';
import { DEFAULT_ALGORITHM, IssuerEntry, ProviderEntry, WorkflowEntry } from '../../src/config/config-schema.ts';
import { FALLBACK_CODES, FALLBACK_CODES_DEFAULT } from '../../src/config/fallback-codes.ts';
import { codeBlocks, codeRows, plain, readDocument, sectionOf } from '../support/documents.ts';

const document = readDocument('docs/configuration.md');
const examples = codeBlocks(document).filter(({ language }) => language === 'yaml');

describe('docs/configuration.md', () => {
  it('has an example that loads, with providers and workflows', async () => {
    expect(examples).toHaveLength(2);
    const environment = { AI_TUTOR_KEY: 'sk_example', AI_TUTOR_KEY_2: 'sk_example_2' };
    const config = await parseConfig(examples[0]?.text ?? '', 'rungate.yaml', { kinds: PROVIDER_KINDS, environment });
    const registry = createRegistry({ kinds: PROVIDER_KINDS, ...config });
    const kinds = PROVIDER_KINDS.map(({ kind }) => kind);
    const names = registry.providers().map(({ name }) => name);
    expect(names.filter((name) => !kinds.includes(name))).toEqual(['b3os-staging', 'draft-and-goal-mirror']);
    expect(registry.provider('ai-tutor')).toMatchObject({
      credentials: [
        { reference: 'env:AI_TUTOR_KEY', weight: 1 },
        { reference: 'env:AI_TUTOR_KEY_2', weight: 3 },
      ],
      limits: { concurrency: 20, perCredential: { requestsPerMinute: 300 } },
      timeouts: { idleMs: 30_000 },
    });
    expect(registry.provider('b3os-staging')?.settings).toEqual({ org_id: 'org_acme' });
    expect(registry.workflow('summarize-ticket')).toMatchObject({
      targets: [{ provider: 'ai-tutor', workflow: 'wf_abc123' }],
      timeoutS: 120,
    });
    expect(registry.workflow('rebalance')).toMatchObject({
      targets: [{ weight: 9 }, { weight: 1 }],
      stickyBy: 'user_id',
      fallbacks: [{ provider: 'b3os-staging', when: ['upstream_unreachable', 'upstream_rate_limited'] }],
    });
    expect(registry.workflow('summarize-ticket')?.validateInputs({ tone: 'dry' })).toEqual({
      path: ['ticket'],
      message: 'required',
    });
  });

  it('has an example of access that loads', async () => {
    const [, example] = examples;
    const { access } = await parseConfig(example?.text ?? '', 'rungate.yaml', {
      kinds: PROVIDER_KINDS,
      environment: {},
    });
    expect([...access.origins]).toEqual(['https://console.example.com', 'http://localhost:5173']);
    expect(access.issuers).toMatchObject([{ issuer: 'https://id.example.com', algorithms: [DEFAULT_ALGORITHM] }]);
  });

  it('names every algorithm that an issuer may sign with', () => {
    const [, meaning = ''] =
      codeRows(sectionOf(document, 'access')).find(([field]) => plain(field ?? '') === 'algorithms') ?? [];
    expect(Array.from(meaning.matchAll(/`([A-Z]{2}\d{3}|EdDSA)`/g), ([, name]) => name)).toEqual([...JWT_ALGORITHMS]);
  });

  it.each([
    ['providers', ProviderEntry],
    ['workflows', WorkflowEntry],
    ['access', IssuerEntry],
  ])('explains every field of an entry of %s, and no other', (heading, schema) => {
    const rows = codeRows(sectionOf(document, heading)).map(([field = '']) => plain(field));
    expect(rows.toSorted()).toEqual(Object.keys(schema.shape).toSorted());
  });

  it('names every error that a fallback takes, those without being asked first', () => {
    const named = Array.from(sectionOf(document, 'Fallbacks').matchAll(/`([a-z]+_[a-z_]+)`/g), ([, code]) => code);
    expect(named.slice(0, FALLBACK_CODES.length)).toEqual([...FALLBACK_CODES_DEFAULT, ...FALLBACK_CODES.slice(-2)]);
  });
});

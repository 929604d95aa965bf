import { describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';

describe('the registry', () => {
  it('has each kind as a provider of its own name without any configuration', () => {
    const registry = createRegistry({ kinds: PROVIDER_KINDS, providers: {}, workflows: [] });
    expect(registry.providers().map(({ name, kind }) => [name, kind.kind])).toEqual(
      PROVIDER_KINDS.map(({ kind }) => [kind, kind]),
    );
    expect(registry.provider('b3os')?.baseUrl).toBe('https://api.b3os.org');
    expect(registry.provider('draft-and-goal')?.baseUrl).toBe('https://agents-api.prod.dng.ai/api');
    expect(registry.provider('constructor')).toBeNull();
  });

  it('takes a setting of the same name as a change, and another name as another provider', () => {
    const registry = createRegistry({
      kinds: PROVIDER_KINDS,
      providers: {
        b3os: { settings: { org_id: 'org_1' } },
        constructor: { kind: 'ai-tutor', baseUrl: 'https://tutor.internal/x/', allowPrivateNetwork: true },
      },
      workflows: [],
    });
    expect(registry.providers()).toHaveLength(PROVIDER_KINDS.length + 1);
    expect(registry.provider('b3os')).toMatchObject({ baseUrl: 'https://api.b3os.org', settings: { org_id: 'org_1' } });
    expect(registry.provider('constructor')).toMatchObject({
      baseUrl: 'https://tutor.internal/x',
      allowPrivateNetwork: true,
      credentials: [],
    });
    const none = { concurrency: null, requestsPerMinute: null };
    expect(registry.provider('constructor')).toMatchObject({
      limits: { ...none, perCredential: none },
      timeouts: { headersMs: null, idleMs: null, totalMs: null },
    });
  });
});

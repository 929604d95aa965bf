import { describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';

describe('the registry', () => {
  it('has each kind as a provider of its own name without any configuration', () => {
    const registry = createRegistry({ kinds: PROVIDER_KINDS, providers: {}, workflows: [] });
    expect(registry.providers().map(({ name, baseUrl }) => [name, baseUrl])).toEqual([
      ['ai-tutor', 'https://aitutor-api.vercel.app'],
      ['b3os', 'https://api.b3os.org'],
      ['draft-and-goal', 'https://agents-api.prod.dng.ai/api'],
      ['interactly', 'https://api.interactly.ai/workflows'],
    ]);
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
    expect(registry.providers()).toHaveLength(5);
    expect(registry.provider('b3os')).toMatchObject({ baseUrl: 'https://api.b3os.org', settings: { org_id: 'org_1' } });
    expect(registry.provider('constructor')).toMatchObject({
      baseUrl: 'https://tutor.internal/x',
      allowPrivateNetwork: true,
      credentials: [],
    });
  });
});

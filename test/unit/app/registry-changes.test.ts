import { describe, expect, it } from 'vitest';
import { findChanges } from '../../../src/app/registry-changes.ts';
import { parseConfig } from '../../../src/config/parse-config.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';
import { ISSUER } from '../config/access-faults.ts';

async function registryOf(text: string) {
  const config = await parseConfig(text, 'rungate.yaml', { kinds: PROVIDER_KINDS, environment: null });
  return createRegistry({ kinds: PROVIDER_KINDS, ...config });
}

const accessChanges = async (before: string, after: string) =>
  findChanges(await registryOf(before), await registryOf(after)).access;

describe('what a reload changes of access', () => {
  const one = `access: { issuers: [{ ${ISSUER} }] }`;
  const name = 'https://id.example.com';

  it('is named, and nothing of it is told', async () => {
    expect(await accessChanges('{}', one)).toEqual({ added: [name], removed: [], changed: [] });
    expect(await accessChanges(one, '{}')).toEqual({ added: [], removed: [name], changed: [] });
    const other = one.replace('gateway.example.com', 'other.example.com');
    expect(await accessChanges(one, other)).toEqual({ added: [], removed: [], changed: [name] });
    const origins = (list: string) => `access: { origins: [${list}] }`;
    expect(await accessChanges('{}', origins('https://a.example'))).toMatchObject({ added: ['origins'] });
    expect(await accessChanges(origins('https://a.example'), origins('https://b.example'))).toMatchObject({
      changed: ['origins'],
    });
  });

  it('is nothing where only the order is another', async () => {
    const origins = (list: string) => `access: { origins: [${list}] }`;
    const before = origins('https://a.example, https://b.example');
    expect(await accessChanges(before, origins('https://b.example, https://a.example'))).toEqual({
      added: [],
      removed: [],
      changed: [],
    });
  });
});

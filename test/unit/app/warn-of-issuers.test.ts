import { describe, expect, it } from 'vitest';
import type { StoredKey } from '../../../src/access/ports.ts';
import { createIssuerWarnings } from '../../../src/app/warn-of-issuers.ts';
import type { IssuerSettings } from '../../../src/core/access-settings.ts';
import type { LogFields } from '../../../src/core/log.ts';
import { accessParts, testClock } from '../../support/access-parts.ts';

async function warnedOf(change: Partial<StoredKey> | null): Promise<LogFields[]> {
  const clock = testClock();
  const { stored } = await accessParts({}, clock);
  const warned: LogFields[] = [];
  const find = async (id: string) => (change !== null && id === stored.id ? { ...stored, ...change } : null);
  const look = createIssuerWarnings({ keys: { find }, clock, log: { warn: (fields) => void warned.push(fields) } });
  const issuer: IssuerSettings = {
    issuer: 'https://id.example.com',
    audience: 'gateway',
    jwksUri: null,
    algorithms: ['RS256'],
    keyId: stored.id,
    subjectClaim: 'sub',
    allowPrivateNetwork: false,
  };
  await look({ access: { origins: new Set(), issuers: [issuer] } });
  return warned.map((fields) => ({ ...fields, key: fields['key'] === stored.id }));
}

describe('an issuer of a configuration that comes into use', () => {
  it('is passed over where its key can stand for users', async () => {
    expect(await warnedOf({})).toEqual([]);
    expect(await warnedOf({ expiresAt: testClock().now() + 1 })).toEqual([]);
  });

  it.each([
    ['is not there', null],
    ['is revoked', { revokedAt: 1 }],
    ['is over', { expiresAt: 1 }],
    ['is not of role runs', { role: 'admin' as const }],
  ])('is warned of where its key %s', async (_what, change) => {
    expect(await warnedOf(change)).toEqual([{ issuer: 'https://id.example.com', key: true }]);
  });

  it('harms nothing where the store cannot say', async () => {
    const find = () => Promise.reject(new Error('away'));
    const look = createIssuerWarnings({ keys: { find }, clock: testClock(), log: { warn: () => undefined } });
    const issuers = [{ issuer: 'https://id.example.com', keyId: 'k' } as IssuerSettings];
    await expect(look({ access: { origins: new Set(), issuers } })).resolves.toBeUndefined();
  });
});

import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { loadSettings } from '../../../src/config/load-settings.ts';

const ADDR = { RUNGATE_VAULT_ADDR: 'https://vault.example.com:8200' };
const TOKEN = { RUNGATE_VAULT_TOKEN: 'hvs.hunter2' };
const ROLE = { RUNGATE_VAULT_ROLE_ID: 'role-hunter2' };

function faultsOf(environment: Record<string, string>): string[] {
  try {
    loadSettings(environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ source, message }) => `${source}: ${message}`);
  }
}

describe('the settings of a secrets server', () => {
  it('are none where nothing is set', () => {
    expect(loadSettings({}).vault).toBeNull();
  });

  it('take a token', () => {
    const { vault } = loadSettings({ ...ADDR, ...TOKEN });
    const login = { by: 'token', token: expect.anything() as unknown };
    expect(vault).toEqual({ address: ADDR.RUNGATE_VAULT_ADDR, namespace: null, allowPrivateNetwork: false, login });
    expect(vault?.login.by === 'token' && vault.login.token.open()).toBe('hvs.hunter2');
    expect(inspect(vault, { depth: 9 })).not.toContain('hunter2');
  });

  it('take a file with a token, a namespace and a path of a proxy', () => {
    const { vault } = loadSettings({
      RUNGATE_VAULT_ADDR: 'http://10.0.0.7:8200/vault/',
      RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK: 'true',
      RUNGATE_VAULT_TOKEN_FILE: '/run/token',
      RUNGATE_VAULT_NAMESPACE: '/team/a/',
    });
    expect(vault).toEqual({
      address: 'http://10.0.0.7:8200/vault',
      namespace: 'team/a',
      allowPrivateNetwork: true,
      login: { by: 'token_file', file: '/run/token' },
    });
  });

  it('take an AppRole, mounted anywhere', () => {
    const secretId = { RUNGATE_VAULT_SECRET_ID_FILE: '/run/secret-id', RUNGATE_VAULT_AUTH_MOUNT: 'ci/approle' };
    const { vault } = loadSettings({ ...ADDR, ...ROLE, ...secretId });
    expect(vault?.login).toMatchObject({ by: 'approle', mount: 'ci/approle', secretId: { file: '/run/secret-id' } });
    const plain = loadSettings({ ...ADDR, ...ROLE, RUNGATE_VAULT_SECRET_ID: 'id-hunter2' }).vault;
    expect(plain?.login).toMatchObject({ by: 'approle', mount: 'approle' });
    expect(inspect(plain, { depth: 9 })).not.toContain('hunter2');
  });

  it.each<[string, Record<string, string>, string]>([
    ['a token without a server', TOKEN, 'RUNGATE_VAULT_TOKEN: does nothing without RUNGATE_VAULT_ADDR'],
    ['a namespace alone', { RUNGATE_VAULT_NAMESPACE: 'a' }, 'RUNGATE_VAULT_NAMESPACE: does nothing without'],
    ['no login', ADDR, 'RUNGATE_VAULT_ADDR: needs a way to log in'],
    ['two logins', { ...ADDR, ...TOKEN, ...ROLE }, 'RUNGATE_VAULT_ROLE_ID: expected only one of'],
    [
      'a token twice',
      { ...ADDR, ...TOKEN, RUNGATE_VAULT_TOKEN_FILE: '/t' },
      'RUNGATE_VAULT_TOKEN_FILE: expected only one of',
    ],
    ['a role without secret id', { ...ADDR, ...ROLE }, 'RUNGATE_VAULT_ROLE_ID: needs RUNGATE_VAULT_SECRET_ID or'],
    [
      'two secret ids',
      { ...ADDR, ...ROLE, RUNGATE_VAULT_SECRET_ID: 'x', RUNGATE_VAULT_SECRET_ID_FILE: '/x' },
      'RUNGATE_VAULT_SECRET_ID_FILE: expected either',
    ],
    [
      'a secret id without role',
      { ...ADDR, RUNGATE_VAULT_SECRET_ID: 'hunter2' },
      'RUNGATE_VAULT_SECRET_ID: does nothing without RUNGATE_VAULT_ROLE_ID',
    ],
    [
      'a secret id beside a token',
      { ...ADDR, ...TOKEN, RUNGATE_VAULT_SECRET_ID: 'hunter2' },
      'RUNGATE_VAULT_SECRET_ID: does nothing without RUNGATE_VAULT_ROLE_ID',
    ],
    [
      'a mount beside a token',
      { ...ADDR, ...TOKEN, RUNGATE_VAULT_AUTH_MOUNT: 'a' },
      'RUNGATE_VAULT_AUTH_MOUNT: does nothing without RUNGATE_VAULT_ROLE_ID',
    ],
    ['plain http', { ...TOKEN, RUNGATE_VAULT_ADDR: 'http://vault:8200' }, 'RUNGATE_VAULT_ADDR: expected https://'],
    ['no URL', { ...TOKEN, RUNGATE_VAULT_ADDR: 'vault:8200' }, 'RUNGATE_VAULT_ADDR: expected an https URL'],
    ['a password', { ...TOKEN, RUNGATE_VAULT_ADDR: 'https://u:hunter2@v' }, 'without user, password'],
    ['a query', { ...TOKEN, RUNGATE_VAULT_ADDR: 'https://v/?a=hunter2' }, 'without user, password, query'],
    ['the API’s prefix', { ...TOKEN, RUNGATE_VAULT_ADDR: 'https://v/v1/' }, '/v1 is added'],
    ['a token of two lines', { ...ADDR, RUNGATE_VAULT_TOKEN: 'hunter2\nhunter2' }, 'RUNGATE_VAULT_TOKEN: expected'],
    [
      'a relative file',
      { ...ADDR, RUNGATE_VAULT_TOKEN_FILE: 'token' },
      'RUNGATE_VAULT_TOKEN_FILE: expected an absolute',
    ],
    ['a namespace that climbs', { ...ADDR, ...TOKEN, RUNGATE_VAULT_NAMESPACE: 'a/../b' }, 'RUNGATE_VAULT_NAMESPACE:'],
    ['neither true nor false', { ...ADDR, ...TOKEN, RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK: 'yes' }, 'true or false'],
    ['no cache', { ...ADDR, ...TOKEN, RUNGATE_VAULT_CACHE_S: '0' }, 'RUNGATE_VAULT_CACHE_S: expected a whole number'],
  ])('are refused with %s, and no secret is shown', (_, environment, fault) => {
    const faults = faultsOf(environment);
    expect(faults.join('\n')).toContain(fault);
    expect(faults.join('\n')).not.toContain('hunter2');
    expect(faults).toHaveLength(1);
  });
});

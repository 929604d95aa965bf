import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import { ServerFault, type VaultAnswer, type VaultHttp } from '../../../src/vault/references/vault-http.ts';
import { createVaultTokens } from '../../../src/vault/references/vault-login.ts';
import { createKvReader } from '../../../src/vault/references/vault-server.ts';

it('A login that was made while a token was prolonged stays, whatever comes of the prolonging', async () => {
  const calls: { path: string; answer: (answer: VaultAnswer) => void }[] = [];
  let nowMs = 0;
  const tokens = createVaultTokens({
    login: { by: 'approle', mount: 'approle', roleId: new Secret('role'), secretId: { value: new Secret('id') } },
    http: ({ path }) => new Promise((resolve) => calls.push({ path, answer: resolve })),
    files: { read: async () => null, isSet: () => false, expire: () => undefined },
    clock: { monotonic: () => nowMs },
    log: { warn: () => undefined },
  });
  const logsIn = (at: number, token: string) => {
    const auth = { client_token: token, lease_duration: 4, renewable: true };
    expect(calls[at]?.path).toBe('/auth/approle/login');
    calls[at]?.answer({ status: 200, body: { auth } });
  };
  const first = tokens.current();
  logsIn(0, 'first');
  tokens.worked(await first);
  nowMs = 3_000;
  const prolonged = await tokens.current();
  expect(calls[1]?.path).toBe('/auth/token/renew-self');
  const refused = tokens.refused(prolonged);
  logsIn(2, 'second');
  expect(await refused).toBe(true);
  tokens.worked(await tokens.current());
  calls[1]?.answer({ status: 403, body: undefined });
  await setImmediate();
  expect((await tokens.current()).open()).toBe('second');
  expect(calls).toHaveLength(3);
});

it('A path that we have no right to makes few logins, and others keep the token that they have', async () => {
  let nowMs = 0;
  let logins = 0;
  let right = false;
  const http = async ({ path, secret }: Parameters<VaultHttp>[0]): Promise<VaultAnswer> => {
    if (path === '/auth/approle/login') {
      const auth = { client_token: `token-${++logins}`, lease_duration: 0, renewable: false };
      return { status: 200, body: { auth } };
    }
    const known = secret.open() === `token-${logins}`;
    if (!known || (path.endsWith('/wrong') && !right)) return { status: 403, body: undefined };
    return { status: 200, body: { data: { data: { key: 'value' } } } };
  };
  const clock = { monotonic: () => nowMs };
  const tokens = createVaultTokens({
    login: { by: 'approle', mount: 'approle', roleId: new Secret('role'), secretId: { value: new Secret('id') } },
    http,
    files: { read: async () => null, isSet: () => false, expire: () => undefined },
    clock,
    log: { warn: () => undefined },
  });
  const read = createKvReader({ http, tokens, clock });
  const refused = () => expect(read('kv', 'wrong')).rejects.toThrow(ServerFault);
  for (; nowMs < 3_600_000; nowMs += 5_000) {
    await read('kv', 'good');
    await refused();
  }
  expect(logins).toBeLessThan(15);
  // A token that ends meanwhile is replaced for those who have the right.
  logins += 1;
  await read('kv', 'good');
  const before = logins;
  right = true;
  expect(await read('kv', 'wrong')).toMatchObject({ is: 'found' });
  expect(logins).toBe(before);
});

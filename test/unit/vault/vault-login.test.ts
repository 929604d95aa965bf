import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import type { VaultAnswer } from '../../../src/vault/references/vault-http.ts';
import { createVaultTokens } from '../../../src/vault/references/vault-login.ts';

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

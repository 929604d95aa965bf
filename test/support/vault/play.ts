import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../../src/core/json.ts';
import { startChild } from '../processes/child.ts';
import { must, type Steps } from '../processes/steps.ts';
import { PROGRAM } from '../program.ts';
import type { RealServer } from './real-server.ts';
import { CACHE_S, FIRST, OUTAGE_S, SECOND, SECRET, World } from './world.ts';

/** A token's time, and how long it can be prolonged. */
const TOKEN_S = 4;
const TOKEN_MAX_S = 8;
/** Nothing is bridged. */
const AT_ONCE = { RUNGATE_VAULT_OUTAGE_S: '0' };

/** What docs/operations.md says of these servers, done at a real one. */
export async function playWithRealServer(steps: Steps, server: RealServer): Promise<void> {
  const world = new World(server);
  try {
    await world.prepare();
    await checkAppRole(steps, world);
    await checkSecrets(steps, world);
    await checkOutage(steps, world);
    await checkOtherWays(steps, world);
    await steps.check('neither log nor answer ever had a secret, a token or an id in it', async () => world.checkLog());
  } finally {
    await world.close();
  }
}

async function checkAppRole({ check }: Steps, world: World): Promise<void> {
  const { call } = world.server;
  await check('a run opens its secret by AppRole, with the policy of the document', async () => {
    const client = await world.serve(await world.appRole());
    await world.mustRun(client, 'succeeded');
    await world.mustRun(client, 'vault_unavailable', 'other');
  });
  await check('a token is prolonged, and another is fetched once that is over', async () => {
    await world.setTimes({ firstS: TOKEN_S, longestS: TOKEN_MAX_S });
    const login = await world.appRole();
    const client = await world.serve({ ...login, ...AT_ONCE });
    const seconds = 2.5 * TOKEN_MAX_S;
    const endsAt = performance.now() + seconds * 1000;
    let runs = 0;
    for (; performance.now() < endsAt; runs++) await world.mustRun(client, 'succeeded');
    await world.setTimes({ firstS: 60, longestS: 600 });
    const logins = await world.loginsWith(login);
    const without = Math.floor(seconds / TOKEN_S);
    must(
      logins > 1 && logins < without,
      `it logged in ${logins} times, and ${without} times would do without prolonging`,
    );
    return `${runs} runs and ${logins} logins in ${seconds} s, tokens of ${TOKEN_S} s, prolonged up to ${TOKEN_MAX_S} s`;
  });
  await check('a token that is revoked is replaced, and no run fails of it', async () => {
    const client = await world.serve({ ...(await world.appRole()), ...AT_ONCE });
    await world.mustRun(client, 'succeeded');
    for (let i = 0; i < 3; i++) {
      await call('PUT', 'sys/leases/revoke-prefix/auth/approle/login', {});
      await pause(1.2 * CACHE_S * 1000);
      await world.mustRun(client, 'succeeded');
    }
  });
}

async function checkSecrets({ check }: Steps, world: World): Promise<void> {
  const { call } = world.server;
  await check('a secret that is rotated is used once the vendor has refused the one before', async () => {
    const client = await world.serve({ ...(await world.appRole()), RUNGATE_VAULT_CACHE_S: '3600' });
    await world.mustRun(client, 'succeeded');
    world.good = SECOND;
    await call('POST', SECRET, { data: { api_key: SECOND } });
    await world.untilRun(client, 'succeeded');
    world.good = FIRST;
    await call('POST', SECRET, { data: { api_key: FIRST } });
    await world.untilRun(client, 'succeeded');
  });
  const client = await world.serve(await world.appRole());
  const ways: [string, () => Promise<JsonObject>, () => Promise<JsonObject>][] = [
    [
      'a version that is deleted is `no_credential`, until it is undeleted',
      () => call('DELETE', SECRET),
      () => call('POST', 'kv/undelete/vendors/tutor', { versions: [3] }),
    ],
    [
      'a version that is destroyed is `no_credential`, until there is another',
      () => call('PUT', 'kv/destroy/vendors/tutor', { versions: [3] }),
      () => call('POST', SECRET, { data: { api_key: FIRST } }),
    ],
    [
      'a secret that is removed with its history is `no_credential`, until it is written again',
      () => call('DELETE', 'kv/metadata/vendors/tutor'),
      () => call('POST', SECRET, { data: { api_key: FIRST } }),
    ],
    [
      'a field that is no text is `no_credential`',
      () => call('POST', SECRET, { data: { api_key: 7 } }),
      () => call('POST', SECRET, { data: { api_key: FIRST } }),
    ],
    [
      'a field that is not there is `no_credential`',
      () => call('POST', SECRET, { data: { other: FIRST } }),
      () => call('POST', SECRET, { data: { api_key: FIRST } }),
    ],
  ];
  for (const [name, takeAway, giveBack] of ways) {
    await check(name, async () => {
      await world.mustRun(client, 'succeeded');
      try {
        await takeAway();
        await world.untilRun(client, 'no_credential');
      } finally {
        await giveBack();
      }
      await world.untilRun(client, 'succeeded');
    });
  }
}

async function checkOutage({ check }: Steps, world: World): Promise<void> {
  const { call, unseal } = world.server;
  await check('a server that is sealed is bridged, then runs are refused, and it ends by itself', async () => {
    const client = await world.serve(await world.appRole());
    await world.mustRun(client, 'succeeded');
    await call('PUT', 'sys/seal');
    await pause(2.2 * CACHE_S * 1000);
    await world.mustRun(client, 'succeeded');
    await pause(OUTAGE_S * 1000);
    await world.mustRun(client, 'vault_unavailable');
    await unseal();
    await world.untilRun(client, 'succeeded');
  });
}

async function checkOtherWays({ check }: Steps, world: World): Promise<void> {
  const { call } = world.server;
  await check('a token in a file is used, and the one that takes its place', async () => {
    const file = join(world.gateway.dataDir, 'token');
    await writeFile(file, `${await world.token()}\n`);
    const client = await world.serve({ RUNGATE_VAULT_TOKEN_FILE: file, ...AT_ONCE });
    await world.mustRun(client, 'succeeded');
    const old = world.secrets.at(-1);
    await writeFile(file, await world.token());
    await call('POST', 'auth/token/revoke', { token: old ?? '' });
    await pause(2.2 * CACHE_S * 1000);
    await world.mustRun(client, 'succeeded');
    await rm(file);
  });
  await check('a token is used', async () => {
    await world.mustRun(await world.serve({ RUNGATE_VAULT_TOKEN: await world.token() }), 'succeeded');
  });
  await check('a namespace is named, where the server has them', async () => {
    try {
      await call('POST', 'sys/namespaces/team', {});
    } catch (error) {
      if (!(error instanceof Error && error.message.includes(' 404 '))) throw error;
      return 'it has none';
    }
    const inside = { namespace: 'team' };
    await world.furnish(inside);
    await call('DELETE', 'kv/metadata/vendors/tutor');
    const login = await world.appRole(inside);
    await world.mustRun(await world.serve({ ...login, RUNGATE_VAULT_NAMESPACE: 'team' }), 'succeeded');
  });
  await check('`credentials verify` shows the secret to the vendor', async () => {
    await call('POST', SECRET, { data: { api_key: FIRST } });
    const argv = [PROGRAM, 'credentials', 'verify', 'tutor'];
    const child = startChild(argv, world.environment(await world.appRole()));
    const lines: string[] = [];
    for (const from of [child.stdout, child.stderr]) from.on('line', (line) => lines.push(line));
    const how = await child.gone;
    world.told.push(...lines);
    must(how === 'exit 0', `${how}: ${lines.join('\n')}`);
  });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

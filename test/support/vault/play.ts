import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts';
import { readDocument } from '../documents.ts';
import { prepareTestGateway, type Client, type TestGateway } from '../gateway.ts';
import { linesUntil, startChild, type Child } from '../processes/child.ts';
import { eventually, must, type Steps } from '../processes/steps.ts';
import { PROGRAM } from '../program.ts';
import { startScriptedVendor, type ScriptedVendor } from '../scripted-vendor.ts';
import type { CallOptions, RealServer } from './real-server.ts';

const KIND = 'draft-and-goal';
const FIRST = 'sk_first-marker-0123456789';
const SECOND = 'sk_second-marker-9876543210';
const SECRET = 'kv/data/vendors/tutor';
const ROLE = 'auth/approle/role/rungate';
/** A token's time, and how long it can be prolonged. */
const TOKEN_S = 4;
const TOKEN_MAX_S = 8;
const CACHE_S = 1;
const OUTAGE_S = 5;
/** Nothing is bridged. */
const AT_ONCE = { RUNGATE_VAULT_OUTAGE_S: '0' };
const LOGINS_MAX = 100;
/** A token of either server. */
const TOKEN = /\b(?:hv)?[sb]\.[\w-]{20,}/;
const POLICY = /`(path "kv\/data\/vendors\/\*" \{[^`]*\})`/;

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

/** A gateway process whose vendor's secret lies in the server. */
class World {
  readonly server: RealServer;
  readonly secrets = [FIRST, SECOND];
  gateway!: TestGateway;
  vendor!: ScriptedVendor;
  /** What the vendor takes now. */
  good = FIRST;
  #child: Child | null = null;
  /** Every line of the log, and every answer. */
  readonly told: string[] = [];

  constructor(server: RealServer) {
    this.server = server;
  }

  async prepare(): Promise<void> {
    this.gateway = await prepareTestGateway();
    const simulated = this.gateway.sandbox.vendors[KIND];
    must(simulated !== undefined, 'there is no such vendor');
    this.vendor = await startScriptedVendor(simulated, { secrets: [FIRST, SECOND] });
    this.vendor.script = ({ secret }) => (secret === this.good ? 'works' : { status: 401 });
    const provider = (path: string) => ({
      kind: KIND,
      base_url: this.vendor.baseUrl,
      allow_private_network: true,
      credentials: [`vault:${path}`],
    });
    const providers = { tutor: provider('kv/vendors/tutor#api_key'), other: provider('kv/others/tutor#api_key') };
    await writeFile(this.gateway.environment['RUNGATE_CONFIG'] ?? '', JSON.stringify({ providers }));
    await this.furnish();
  }

  /** The engine, the secret, the document's own policy, and a role that it is for. */
  async furnish(options: CallOptions = {}): Promise<void> {
    const { call } = this.server;
    const policy = POLICY.exec(readDocument('docs/operations.md').text)?.[1];
    must(policy !== undefined, 'the document has no policy');
    await call('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } }, options);
    await call('POST', SECRET, { data: { api_key: FIRST } }, options);
    await call('POST', 'kv/data/others/tutor', { data: { api_key: FIRST } }, options);
    await call('PUT', 'sys/policies/acl/rungate', { policy }, options);
    await call('POST', 'sys/auth/approle', { type: 'approle' }, options);
    await this.setTimes({ firstS: 60, longestS: 600 }, options);
  }

  /** How long tokens of the role last at first, and how long they can be prolonged. */
  async setTimes({ firstS, longestS }: { firstS: number; longestS: number }, options: CallOptions = {}): Promise<void> {
    const role = { token_policies: ['rungate'], token_ttl: `${firstS}s`, token_max_ttl: `${longestS}s` };
    await this.server.call('POST', ROLE, role, options);
  }

  /** The variables of a login, which may be made `LOGINS_MAX` times. */
  async appRole(options: CallOptions = {}): Promise<Record<string, string>> {
    const { call } = this.server;
    const roleId = textOf(await call('GET', `${ROLE}/role-id`, undefined, options), 'role_id');
    const made = await call('POST', `${ROLE}/secret-id`, { num_uses: LOGINS_MAX }, options);
    const secretId = textOf(made, 'secret_id');
    this.secrets.push(roleId, secretId);
    return { RUNGATE_VAULT_ROLE_ID: roleId, RUNGATE_VAULT_SECRET_ID: secretId };
  }

  /** How often it was logged in with these variables. */
  async loginsWith({ RUNGATE_VAULT_SECRET_ID: secretId }: Record<string, string>): Promise<number> {
    const { data } = await this.server.call('POST', `${ROLE}/secret-id/lookup`, { secret_id: secretId ?? '' });
    return LOGINS_MAX - Number(isJsonObject(data) ? data['secret_id_num_uses'] : NaN);
  }

  /** A token of the policy, which ends after a minute. */
  async token(): Promise<string> {
    const made = await this.server.call('POST', 'auth/token/create', { policies: ['rungate'], ttl: '60s' });
    const token = textOf(made, 'client_token', 'auth');
    this.secrets.push(token);
    return token;
  }

  environment(login: Record<string, string>): Record<string, string> {
    return {
      ...this.gateway.environment,
      NODE_EXTRA_CA_CERTS: this.server.caFile,
      RUNGATE_LOG_LEVEL: 'debug',
      RUNGATE_VAULT_ADDR: this.server.address,
      RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK: 'true',
      RUNGATE_VAULT_CACHE_S: `${CACHE_S}`,
      RUNGATE_VAULT_OUTAGE_S: `${OUTAGE_S}`,
      ...login,
    };
  }

  /** `rungate serve`, instead of the one before, as talkative as it can be. */
  async serve(login: Record<string, string>): Promise<Client> {
    await this.stop();
    const child = startChild([PROGRAM, 'serve'], this.environment(login));
    this.#child = child;
    for (const lines of [child.stdout, child.stderr]) lines.on('line', (line: string) => this.told.push(line));
    const banner = await linesUntil(
      child,
      (line) => line.startsWith('admin API'),
      () => this.told.slice(-10).join('\n'),
    );
    return this.gateway.at(/runs API +(\S+)/.exec(banner.join('\n'))?.[1] ?? '');
  }

  /** Runs a workflow to its end; resolves to its status, or to the code that it was refused with. */
  async run(client: Client, provider = 'tutor'): Promise<string> {
    const body = { provider, workflow: this.gateway.workflowId(KIND, 'w'), inputs: {} };
    const answer = await client.post('/runs', body, { prefer: 'wait=5' });
    this.told.push(JSON.stringify(answer.body));
    return String(answer.body.error?.code ?? answer.body.status);
  }

  async mustRun(client: Client, expected: string, provider = 'tutor'): Promise<void> {
    const found = await this.run(client, provider);
    must(found === expected, `a run was ${found}, not ${expected}: ${this.told.slice(-4).join('\n')}`);
  }

  /** Runs until one is as expected. */
  async untilRun(client: Client, expected: string): Promise<void> {
    let found = '';
    const probe = async () => ((found = await this.run(client)) === expected ? found : null);
    await eventually(probe, { timeoutMs: 15_000, everyMs: 200, otherwise: `runs are never ${expected}` });
  }

  checkLog(): void {
    const text = this.told.join('\n');
    must(text.includes('"level":"info"'), 'there is no log');
    const found = this.secrets.filter((secret) => text.includes(secret));
    must(found.length === 0, `${found.length} of ${this.secrets.length} are in it`);
    must(!TOKEN.test(text), 'a token is in it');
  }

  async stop(): Promise<void> {
    this.#child?.signal('SIGTERM');
    await this.#child?.gone;
    this.#child = null;
  }

  async close(): Promise<void> {
    this.#child?.signal('SIGKILL');
    await this.#child?.gone;
    await this.vendor?.close();
    await this.gateway?.stop();
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

function textOf(answer: JsonObject, name: string, within = 'data'): string {
  const held = answer[within];
  const text = isJsonObject(held) ? held[name] : null;
  must(typeof text === 'string', `the server gave no ${name}`);
  return text;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

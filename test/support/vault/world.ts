import { writeFile } from 'node:fs/promises';
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts';
import { readDocument } from '../documents.ts';
import { prepareTestGateway, type Client, type TestGateway } from '../gateway.ts';
import { linesUntil, startChild, type Child } from '../processes/child.ts';
import { eventually, must } from '../processes/steps.ts';
import { PROGRAM } from '../program.ts';
import { startScriptedVendor, type ScriptedVendor } from '../scripted-vendor.ts';
import type { CallOptions, RealServer } from './real-server.ts';

const KIND = 'draft-and-goal';
export const FIRST = 'sk_first-marker-0123456789';
export const SECOND = 'sk_second-marker-9876543210';
/** Where the vendor's secret lies. */
export const SECRET = 'kv/data/vendors/tutor';
const ROLE = 'auth/approle/role/rungate';
export const CACHE_S = 1;
export const OUTAGE_S = 5;
const LOGINS_MAX = 100;
/** A token of either server. */
const TOKEN = /\b(?:hv)?[sb]\.[\w-]{20,}/;
const POLICY = /`(path "kv\/data\/vendors\/\*" \{[^`]*\})`/;

/** A gateway process whose vendor's secret lies in the server. */
export class World {
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

function textOf(answer: JsonObject, name: string, within = 'data'): string {
  const held = answer[within];
  const text = isJsonObject(held) ? held[name] : null;
  must(typeof text === 'string', `the server gave no ${name}`);
  return text;
}

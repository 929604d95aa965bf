import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKey } from '../../src/access/keys.ts';
import { startGateway, type Gateway } from '../../src/app/start-gateway.ts';
import { openWorkspace, type Workspace } from '../../src/app/workspace.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Role } from '../../src/core/caller.ts';
import { systemClock } from '../../src/core/clock.ts';
import { reviveJson } from '../../src/core/json.ts';
import type { Log } from '../../src/core/log.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { Secret } from '../../src/core/secret.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import type { AnyProviderKind } from '../../src/providers/define-provider.ts';
import { startSandbox, type Sandbox, type SandboxVendor } from '../../src/sandbox/start-sandbox.ts';

/** A provider of `rungate.yaml`, as a test wants it; its secrets go into the vault. */
export interface TestProvider {
  kind: string;
  baseUrl: string;
  allowPrivateNetwork?: boolean;
  /** Null: none. Default: the one that the kind's sandbox accepts. */
  secret?: string | null;
  /** Several instead of one, labelled with the secret itself. */
  secrets?: readonly (string | { secret: string; weight: number })[];
  /** As the file has them. */
  limits?: object;
  timeouts?: object;
}

export type TestProviders = Readonly<Record<string, TestProvider>>;

export interface TestGatewayOptions {
  kinds?: readonly AnyProviderKind[];
  /** Registered ones, as the file has them. */
  workflows?: Readonly<Record<string, object>>;
  /** `RUNGATE_…` variables. */
  environment?: Readonly<Record<string, string>>;
  /** Beside (or instead of) a provider for each kind, which points at its sandbox. */
  providers?: (sandbox: Sandbox) => TestProviders | Promise<TestProviders>;
  /** Where the data directory is made. */
  parent?: string;
}

export interface Answered {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every shape
  body: any;
}

export interface Client {
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answered>;
  get(path: string, headers?: Record<string, string>): Promise<Answered>;
  delete(path: string): Promise<Answered>;
  /** Begins a run and answers as soon as it is written. */
  begin(body: object, headers?: Record<string, string>): Promise<string>;
  cancel(id: string): Promise<Answered>;
  /** Reads the run again and again until `good`, for a minute at most; the test's own time-out comes first. */
  // oxlint-disable-next-line typescript/no-explicit-any -- see `Answered`
  until(id: string, good: (run: any) => boolean): Promise<any>;
  /** The run once it has ended. */
  // oxlint-disable-next-line typescript/no-explicit-any -- see `Answered`
  end(id: string): Promise<any>;
}

/** A gateway over simulated vendors that outlive it, so that another process can take its runs over. */
export interface TestGateway extends Client {
  sandbox: Sandbox;
  dataDir: string;
  /** The id of a workflow that the kind's simulated vendor is to know by this name, special ones included. */
  workflowId(kind: string, name: string): string;
  /** For another process on the same data. */
  environment: Record<string, string>;
  /** What a log would show as an error: nothing, in a gateway without bugs. */
  complaints: string[];
  /** What a log would show as a warning. */
  warnings: { message: string; fields: object }[];
  url(): string;
  adminUrl(): string;
  /** The `authorization` header of the test's own key, for requests on raw sockets. */
  authorization: string;
  /** A new key. */
  key(role: Role, name?: string): Promise<string>;
  /** A client with a key of its own. */
  client(role: Role, name?: string): Promise<Client>;
  /** The test's own key at another process on the same data. */
  at(url: string): Client;
  /** Works on the store like a command beside the server. */
  command<T>(use: (workspace: Workspace) => Promise<T>): Promise<T>;
  /** Starts it (again), after `shutDown` or the end of another process on the same data. */
  startUp(): Promise<void>;
  /** Drains and lets go; the vendors go on. */
  shutDown(): Promise<void>;
  /** Shuts everything down and removes the data. */
  stop(): Promise<void>;
}

const ENDED = new Set(['succeeded', 'failed', 'cancelled', 'timed_out']);
const LOOK_AGAIN_MS = 20;
/** What stays as it is may be noticed a little late, so that many who wait for it leave the gateway time for its work. */
const LOOK_FOR_END_MS_MAX = 200;
/** A loop must not outlive its test for ever. */
const UNTIL_MS_MAX = 60_000;

/** Prepares a gateway, its vendors, credentials and key; `startUp` lets it listen. */
export async function prepareTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const sandbox = await startSandbox({ clock: systemClock, random: createSystemRandom(), host: '127.0.0.1' });
  const dataDir = await mkdtemp(join(options.parent ?? tmpdir(), 'rungate-gateway-'));
  const environment = {
    RUNGATE_DATA_DIR: dataDir,
    RUNGATE_CONFIG: join(dataDir, 'rungate.yaml'),
    RUNGATE_PORT: '0',
    RUNGATE_ADMIN_PORT: '0',
    // Most tests make vendors fail on purpose, and want to see each failure as it is.
    RUNGATE_BREAKER_CALLS_MIN: '1000000000',
    RUNGATE_RETRIES_MAX: '0',
    // Some begin hundreds of runs in one moment, on a machine that has more to do.
    RUNGATE_OVERLOAD_DELAY_MS: '60000',
    RUNGATE_OVERLOAD_AT_ONCE_MAX: '100000',
    ...options.environment,
  };
  const providers = { ...ordinaryProviders(sandbox), ...(await options.providers?.(sandbox)) };
  await writeFile(environment.RUNGATE_CONFIG, configText(providers, options.workflows));
  const complaints: string[] = [];
  const warnings: TestGateway['warnings'] = [];
  const log = complainingLog(complaints, warnings);
  let gateway: Gateway | null = null;

  async function command<T>(use: (workspace: Workspace) => Promise<T>): Promise<T> {
    const workspace = await openWorkspace({
      environment,
      sandbox: false,
      logTo: { write: () => undefined },
      mayMakeDatabase: true,
    });
    try {
      return await use(workspace);
    } finally {
      await workspace.close();
    }
  }
  const up = () => {
    if (gateway === null) throw new Error('the gateway is not up');
    return gateway;
  };
  const url = () => up().runsUrl;
  async function makeKey(role: Role, name: string): Promise<string> {
    const wanted = { name, role, allowedWorkflows: [], allowedProviders: [], expiresAt: null };
    const { stored, key } = createKey(wanted, { clock: systemClock, random: createSystemRandom() });
    await command(({ store }) => store.keys.insert(stored));
    return key.open();
  }
  async function shutDown(): Promise<void> {
    const running = gateway;
    gateway = null;
    await running?.stop();
  }

  await command(({ vault }) => addCredentials(vault, providers, sandbox));
  const key = await makeKey('runs', 'test');
  return {
    ...createClient(url, key),
    sandbox,
    dataDir,
    environment,
    workflowId: (kind, name) => vendorOf(sandbox, kind).workflowId(name),
    complaints,
    warnings,
    url,
    adminUrl: () => up().adminUrl,
    authorization: `Bearer ${key}`,
    key: (role, name = role) => makeKey(role, name),
    client: async (role, name = role) => createClient(url, await makeKey(role, name)),
    at: (other) => createClient(() => other, key),
    command,
    async startUp() {
      const kinds = options.kinds ?? PROVIDER_KINDS;
      gateway = await startGateway({ settings: loadSettings(environment), environment, sandbox: false, log, kinds });
    },
    shutDown,
    async stop() {
      // Together: what still waits for a vendor is over when its connection is.
      await Promise.all([shutDown(), sandbox.close()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A gateway that listens, with a sandbox for each kind, in a data directory of its own. */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const gateway = await prepareTestGateway(options);
  await gateway.startUp();
  return gateway;
}

/** The simulated vendor of a kind. Throws where the sandbox has none: every kind needs one. */
export function vendorOf(sandbox: Sandbox, kind: string): SandboxVendor {
  const vendor = Object.values(sandbox.vendors).find((one) => one.kind === kind);
  if (vendor === undefined) throw new Error(`the sandbox has no ${kind}`);
  return vendor;
}

function ordinaryProviders(sandbox: Sandbox): Record<string, TestProvider> {
  return Object.fromEntries(
    PROVIDER_KINDS.map(({ kind }) => [kind, { kind, baseUrl: vendorOf(sandbox, kind).baseUrl }]),
  );
}

/** JSON is YAML. */
function configText(providers: Readonly<Record<string, TestProvider>>, workflows = {}): string {
  const entries = Object.entries(providers).map(([name, provider]) => {
    const { kind, baseUrl, allowPrivateNetwork = true, limits, timeouts } = provider;
    return [name, { kind, base_url: baseUrl, allow_private_network: allowPrivateNetwork, limits, timeouts }];
  });
  return JSON.stringify({ providers: Object.fromEntries(entries), workflows });
}

async function addCredentials(
  vault: Workspace['vault'],
  providers: Readonly<Record<string, TestProvider>>,
  sandbox: Sandbox,
): Promise<void> {
  for (const [provider, { kind, secret, secrets }] of Object.entries(providers)) {
    for (const one of secrets ?? (secret === null ? [] : [secret ?? vendorOf(sandbox, kind).key])) {
      const { secret: text, weight } = typeof one === 'string' ? { secret: one, weight: 1 } : one;
      const label = secrets === undefined ? null : text;
      await vault.add({ provider, label, purpose: 'api', secret: new Secret(text), weight });
    }
  }
}

function complainingLog(complaints: string[], warnings: TestGateway['warnings']): Log {
  const quiet = () => undefined;
  return {
    debug: quiet,
    info: quiet,
    warn: (fields, message) => void warnings.push({ message, fields }),
    error: ({ err }, message) => void complaints.push(`${message} ${err instanceof Error ? err.stack : ''}`),
  };
}

function createClient(url: () => string, key: string): Client {
  const authorization = `Bearer ${key}`;
  async function ask(
    path: string,
    {
      method = 'GET',
      body = null,
      headers,
    }: { method?: string; body?: string | null; headers: Record<string, string> },
  ): Promise<Answered> {
    const response = await fetch(url() + path, { method, body, headers: { authorization, ...headers } });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? null : reviveJson(text) };
  }
  // oxlint-disable-next-line typescript/no-explicit-any -- see `Answered`
  async function until(id: string, good: (run: any) => boolean, lookAgainMsMax: number): Promise<any> {
    const begun = performance.now();
    for (let waitMs = LOOK_AGAIN_MS; ; waitMs = Math.min(waitMs * 1.2, lookAgainMsMax)) {
      const { body } = await client.get(`/runs/${id}`);
      if (good(body)) return body;
      if (performance.now() - begun > UNTIL_MS_MAX) throw new Error(`still not: ${JSON.stringify(body)}`);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
  const client: Client = {
    post: (path, body = {}, headers = {}) =>
      ask(path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      }),
    get: (path, headers = {}) => ask(path, { headers }),
    delete: (path) => ask(path, { method: 'DELETE', headers: {} }),
    async begin(body, headers = {}) {
      const { status, body: run } = await client.post('/runs', body, { prefer: 'respond-async', ...headers });
      if (status !== 202) throw new Error(`not begun: ${status} ${JSON.stringify(run)}`);
      return run.id as string;
    },
    cancel: (id) => client.post(`/runs/${id}/cancel`),
    until: (id, good) => until(id, good, LOOK_AGAIN_MS),
    end: (id) => until(id, ({ status }) => ENDED.has(status), LOOK_FOR_END_MS_MAX),
  };
  return client;
}

import { createServer } from 'node:net';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tryServeLock } from '../../../src/store/sqlite/serve-lock.ts';
import { createCommandLine, type CommandLine } from '../command-line.ts';
import { linesUntil, startChild, type Child } from './child.ts';
import type { SandboxProcess } from './sandbox-process.ts';
import { PROGRAM } from '../program.ts';

/** Below the range from which systems take ports for outgoing connections, so that a restart finds its port free. */
const PORT_FIRST = 20_000;
const PORTS = 10_000;
const COMPLAINTS_MAX = 50;

/**
 * A gateway over a data directory of its own that can be killed and started again at the same address.
 * At most one process of it is alive.
 */
export interface GatewayProcess extends AsyncDisposable {
  url: string;
  /** A client key of role `runs`, made with the command line. */
  key: string;
  /** Commands beside the gateway, over the same data directory. */
  commandLine: CommandLine;
  /** Starts a process; resolves to the milliseconds until it was ready, or null where it was killed before. */
  start(): Promise<number | null>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when the process is gone. */
  stop(): Promise<void>;
  /** Where the living process has its admin listener. */
  adminUrl(): string;
  /** Another client key, of role `runs` where none is given. */
  createKey(name: string, role?: string): Promise<string>;
  /** What the admin listener of the living process answers. */
  metrics(): Promise<string>;
  /** Has the living process print a line about itself: SIGUSR2, for a module of `nodeArguments` that listens to it. */
  report(): Promise<string>;
  /** Whether a serving process could take the database now. */
  lockIsFree(): boolean;
  /** What its processes logged as errors, and how any of them died that nobody killed. */
  complaints(): readonly string[];
}

export interface GatewayProcessOptions {
  /** The text of `rungate.yaml`; a function where it names the client key, of which it is given the id. */
  config: string | ((keyId: string) => string);
  /** Beside what every gateway of a test has. */
  environment: Readonly<Record<string, string>>;
  /** For Node, before the script. */
  nodeArguments?: readonly string[];
}

/** Prepares a gateway whose providers are the sandbox's vendors, each also as `limitedProvider`. It is not started. */
export async function createGatewayProcess(sandbox: SandboxProcess): Promise<GatewayProcess> {
  const keys = Object.entries(sandbox.vendors).map(([kind, vendor]) => [variableOf(kind), vendor.key]);
  // Many requests arrive at once, on a machine that has more to do.
  const unhurried = { RUNGATE_OVERLOAD_DELAY_MS: '60000', RUNGATE_OVERLOAD_AT_ONCE_MAX: '100000' };
  const environment = { ...Object.fromEntries(keys), ...unhurried };
  return prepareGatewayProcess({ config: configFor(sandbox), environment });
}

/** One more provider of the vendor, for starts that it answers with 429: they rest the credential that they came with. */
export function limitedProvider(kind: string): string {
  return `${kind}-limited`;
}

/** Prepares a gateway of this configuration. It is not started. */
export async function prepareGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const commandLine = await createCommandLine();
  const { dataDir } = commandLine;
  async function createKey(name: string, role = 'runs'): Promise<string> {
    const { key } = await commandLine.document<{ key: string }>(['keys', 'create', '--name', name, '--role', role]);
    return key;
  }
  const key = await createKey('clients');
  const { config } = options;
  const text = typeof config === 'string' ? config : config(key.split('_')[1] ?? '');
  await writeFile(join(dataDir, 'rungate.yaml'), text);
  const port = await findFreePort();
  const serving = createServing([...(options.nodeArguments ?? []), PROGRAM, 'serve'], {
    RUNGATE_DATA_DIR: dataDir,
    RUNGATE_CONFIG: join(dataDir, 'rungate.yaml'),
    RUNGATE_PORT: String(port),
    RUNGATE_ADMIN_PORT: '0',
    RUNGATE_LOG_LEVEL: 'error',
    ...options.environment,
  });
  let viewerKey: Promise<string> | null = null;

  return {
    url: `http://127.0.0.1:${port}`,
    key,
    commandLine,
    start: () => serving.start(),
    kill: () => serving.end('SIGKILL'),
    stop: () => serving.end('SIGTERM'),
    adminUrl: () => serving.adminUrl(),
    createKey: (name, role) => createKey(name, role),
    async metrics() {
      viewerKey ??= createKey('metrics', 'viewer');
      const headers = { authorization: `Bearer ${await viewerKey}` };
      return (await fetch(`${serving.adminUrl()}/metrics`, { headers })).text();
    },
    report: () => serving.report(),
    lockIsFree() {
      const lock = tryServeLock(join(dataDir, 'rungate.db'));
      lock?.release();
      return lock !== null;
    },
    complaints: () => serving.complaints,
    async [Symbol.asyncDispose]() {
      await serving.end('SIGKILL');
      await commandLine.remove();
    },
  };
}

/** One process after the other. */
function createServing(argv: readonly string[], environment: Readonly<Record<string, string>>) {
  const complaints: string[] = [];
  let alive: { child: Child; killed: boolean } | null = null;
  let adminUrl = '';

  function complain(line: string): void {
    if (complaints.length < COMPLAINTS_MAX) complaints.push(line);
  }

  return {
    complaints,
    adminUrl: () => adminUrl,
    async start(): Promise<number | null> {
      if (alive) throw new Error('a process of this gateway is alive');
      const begunMs = performance.now();
      const process = { child: startChild(argv, environment), killed: false };
      alive = process;
      process.child.stderr.on('line', complain);
      void process.child.gone.then((how) => {
        if (!process.killed) complain(`the gateway died by itself: ${how}`);
        if (alive === process) alive = null;
      });
      const ready = linesUntil(process.child, isBanner, () => `the gateway did not start: ${complaints.join('\n')}`);
      return ready.then(
        (lines) => {
          adminUrl = /http:\/\/\S+/.exec(lines.find(isBanner) ?? '')?.[0] ?? '';
          return performance.now() - begunMs;
        },
        (error: unknown) => (process.killed ? null : Promise.reject(error)),
      );
    },
    async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
      if (!alive) return;
      const process = alive;
      process.killed = true;
      process.child.signal(signal);
      await process.child.gone;
    },
    async report(): Promise<string> {
      if (!alive) throw new Error('no process of this gateway is alive');
      const { child } = alive;
      child.signal('SIGUSR2');
      const line = new Promise<string>((resolve) => child.stdout.once('line', resolve));
      return Promise.race([line, child.gone.then((how) => Promise.reject(new Error(`the gateway died: ${how}`)))]);
    },
  };
}

/** The second address that `serve` prints: from then on both listeners answer. */
function isBanner(line: string): boolean {
  return line.startsWith('admin API');
}

function configFor({ vendors }: SandboxProcess): string {
  const providers = Object.entries(vendors).flatMap(([kind, { base_url: baseUrl }]) =>
    [kind, limitedProvider(kind)].map((name) =>
      [
        `  ${name}:`,
        `    kind: ${kind}`,
        `    base_url: ${baseUrl}`,
        '    allow_private_network: true',
        `    credentials: ['env:${variableOf(kind)}']`,
      ].join('\n'),
    ),
  );
  return `providers:\n${providers.join('\n')}\n`;
}

function variableOf(kind: string): string {
  return `SANDBOX_KEY_${kind.toUpperCase().replaceAll('-', '_')}`;
}

async function findFreePort(): Promise<number> {
  for (;;) {
    const port = PORT_FIRST + Math.floor(Math.random() * PORTS);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen({ host: '127.0.0.1', port }, () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

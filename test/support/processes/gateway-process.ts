import { createServer } from 'node:net';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tryServeLock } from '../../../src/store/sqlite/serve-lock.ts';
import { createCommandLine } from '../command-line.ts';
import { linesUntil, startChild, type Child } from './child.ts';
import type { SandboxProcess } from './sandbox-process.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
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
  /** Starts a process; resolves to the milliseconds until it was ready, or null where it was killed before. */
  start(): Promise<number | null>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Whether a serving process could take the database now. */
  lockIsFree(): boolean;
  /** What its processes logged as errors, and how any of them died that nobody killed. */
  complaints(): readonly string[];
}

/** Prepares a gateway whose providers are the sandbox's vendors. It is not started. */
export async function createGatewayProcess(sandbox: SandboxProcess): Promise<GatewayProcess> {
  const commandLine = await createCommandLine();
  const { dataDir } = commandLine;
  await writeFile(join(dataDir, 'rungate.yaml'), configFor(sandbox));
  const { key } = await commandLine.document<{ key: string }>(['keys', 'create', '--name', 'clients']);
  const port = await findFreePort();
  const environment = {
    RUNGATE_DATA_DIR: dataDir,
    RUNGATE_CONFIG: join(dataDir, 'rungate.yaml'),
    RUNGATE_PORT: String(port),
    RUNGATE_ADMIN_PORT: '0',
    RUNGATE_LOG_LEVEL: 'error',
    ...Object.fromEntries(Object.entries(sandbox.vendors).map(([kind, vendor]) => [variableOf(kind), vendor.key])),
  };
  const complaints: string[] = [];
  let alive: { child: Child; killed: boolean } | null = null;

  function complain(line: string): void {
    if (complaints.length < COMPLAINTS_MAX) complaints.push(line);
  }

  async function kill(): Promise<void> {
    if (!alive) return;
    const process = alive;
    process.killed = true;
    process.child.signal('SIGKILL');
    await process.child.gone;
  }

  return {
    url: `http://127.0.0.1:${port}`,
    key,
    async start() {
      if (alive) throw new Error('a process of this gateway is alive');
      const begunMs = performance.now();
      const process = { child: startChild([MAIN, 'serve'], environment), killed: false };
      alive = process;
      process.child.stderr.on('line', complain);
      void process.child.gone.then((how) => {
        if (!process.killed) complain(`the gateway died by itself: ${how}`);
        if (alive === process) alive = null;
      });
      const ready = linesUntil(process.child, isBanner, () => `the gateway did not start: ${complaints.join('\n')}`);
      return ready.then(
        () => performance.now() - begunMs,
        (error: unknown) => (process.killed ? null : Promise.reject(error)),
      );
    },
    kill,
    lockIsFree() {
      const lock = tryServeLock(join(dataDir, 'rungate.db'));
      lock?.release();
      return lock !== null;
    },
    complaints: () => complaints,
    async [Symbol.asyncDispose]() {
      await kill();
      await commandLine.remove();
    },
  };
}

/** The second address that `serve` prints: from then on both listeners answer. */
function isBanner(line: string): boolean {
  return line.startsWith('admin API');
}

function configFor({ vendors }: SandboxProcess): string {
  const providers = Object.entries(vendors).map(([kind, { base_url: baseUrl }]) =>
    [
      `  ${kind}:`,
      `    base_url: ${baseUrl}`,
      '    allow_private_network: true',
      `    credentials: ['env:${variableOf(kind)}']`,
    ].join('\n'),
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

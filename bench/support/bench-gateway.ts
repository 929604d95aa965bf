import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reviveJson } from '../../src/core/json.ts';
import { start, type Running } from './processes.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface UsualGateway extends Running {
  url: string;
  /** `Bearer rgk_…` of a key that may run everything. */
  authorization: string;
  /** From its start until it listened. */
  readyMs: number;
}

export interface BenchGateway extends UsualGateway {
  /** In bytes, after a garbage collection, and before it. */
  memory(): Promise<Memory>;
}

export interface Memory {
  heap: number;
  rss: number;
  rssBefore: number;
}

/** A vendor of its own process; `file` is below `bench/support`. Resolves to its URL. */
export async function startVendor(file: string, args: readonly string[] = []): Promise<Running & { url: string }> {
  const path = join(ROOT, 'bench/support', file);
  const running = await start([path, ...args], {}, (line) => line.includes('port'));
  const { port } = reviveJson<{ port: number }>(running.lines[0] ?? '');
  return { ...running, url: `http://127.0.0.1:${port}` };
}

/** One of `startUsualGateway` that logs errors alone, and tells its memory. */
export async function startBenchGateway(
  provider: string,
  vendorUrl: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchGateway> {
  const report = join(ROOT, 'bench/support/report-memory.ts');
  const running = await startUsualGateway(provider, vendorUrl, {
    settings: { RUNGATE_LOG_LEVEL: 'error', ...settings },
    nodeArguments: ['--expose-gc', '--import', report],
  });
  return {
    ...running,
    async memory() {
      const seen = running.lines.length;
      process.kill(running.pid, 'SIGUSR2');
      for (;;) {
        const line = running.lines.slice(seen).find((one) => one.startsWith('{"heap"'));
        if (line !== undefined) return reviveJson<Memory>(line);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

interface GatewayStart {
  settings?: Readonly<Record<string, string>>;
  /** For Node, before the script. */
  nodeArguments?: readonly string[];
  /** The checkout that it is started from. */
  root?: string | undefined;
}

/** A gateway as its users start it, with `provider` at a vendor on loopback. Its files are gone when it has stopped. */
export async function startUsualGateway(
  provider: string,
  vendorUrl: string,
  { settings = {}, nodeArguments = [], root = ROOT }: GatewayStart = {},
): Promise<UsualGateway> {
  const directory = mkdtempSync(join(tmpdir(), 'rungate-bench-'));
  writeFileSync(
    join(directory, 'rungate.yaml'),
    `providers:\n  ${provider}:\n    base_url: ${vendorUrl}\n    allow_private_network: true\n    credentials: [env:BENCH_KEY]\n`,
  );
  const environment = {
    RUNGATE_CONFIG: join(directory, 'rungate.yaml'),
    RUNGATE_DATA_DIR: directory,
    RUNGATE_PORT: '0',
    RUNGATE_ADMIN_PORT: '0',
    BENCH_KEY: 'sk_bench',
    ...settings,
  };
  const removeFiles = () => rmSync(directory, { recursive: true, force: true });
  try {
    const main = join(root, 'bin/rungate.js');
    const created = execFileSync(process.execPath, [main, 'keys', 'create', '--name', 'bench', '--json'], {
      env: { ...process.env, ...environment },
      encoding: 'utf8',
    });
    const begunAt = performance.now();
    const running = await start([...nodeArguments, main, 'serve'], environment, (line) => line.startsWith('admin API'));
    return {
      ...running,
      readyMs: performance.now() - begunAt,
      url: /http:\/\/\S+/.exec(running.lines.find((line) => line.startsWith('runs API')) ?? '')?.[0] ?? '',
      authorization: `Bearer ${reviveJson<{ key: string }>(created).key}`,
      async stop() {
        await running.stop();
        removeFiles();
      },
    };
  } catch (error) {
    removeFiles();
    throw error;
  }
}

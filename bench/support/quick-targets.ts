import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { reviveJson } from '../../src/core/json.ts';
import { cpuMicroseconds, start, type Running } from './processes.ts';

const ROOT = join(import.meta.dirname, '../..');
const CONNECTIONS = 64;
const INPUTS = { story: 'A gateway that never loses a run', tone: 'dry' };

/** A process that answers one kind of request. */
export interface Target extends Running {
  url: string;
  path: string;
  authorization: string;
  body: string;
}

/** `@fastify/http-proxy` in front of the vendor. */
export async function startProxy(vendorUrl: string): Promise<Target> {
  const running = await start([join(ROOT, 'bench/support/bare-proxy.ts'), vendorUrl], {}, (line) =>
    line.includes('port'),
  );
  const { port } = reviveJson<{ port: number }>(running.lines[0] ?? '');
  return {
    ...running,
    url: `http://127.0.0.1:${port}`,
    path: '/api/v1/run/wf_abc123',
    authorization: 'Bearer sk_bench',
    body: JSON.stringify(INPUTS),
  };
}

/** The gateway of this or another checkout, as its users start it, over a database of its own that is gone afterwards. */
export async function startGateway(vendorUrl: string, root = ROOT): Promise<Target & { readyMs: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'rungate-bench-'));
  writeFileSync(
    join(directory, 'rungate.yaml'),
    `providers:\n  ai-tutor:\n    base_url: ${vendorUrl}\n    allow_private_network: true\n    credentials: [env:BENCH_KEY]\n`,
  );
  const environment = {
    RUNGATE_CONFIG: join(directory, 'rungate.yaml'),
    RUNGATE_DATA_DIR: directory,
    RUNGATE_PORT: '0',
    RUNGATE_ADMIN_PORT: '0',
    BENCH_KEY: 'sk_bench',
  };
  const main = join(root, 'bin/rungate.js');
  const created = execFileSync(process.execPath, [main, 'keys', 'create', '--name', 'bench', '--json'], {
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const begunAt = performance.now();
  const running = await start([main, 'serve'], environment, (line) => line.startsWith('admin API'));
  const readyMs = performance.now() - begunAt;
  return {
    ...running,
    readyMs,
    url: /http:\/\/\S+/.exec(running.lines.find((line) => line.startsWith('runs API')) ?? '')?.[0] ?? '',
    path: '/runs',
    authorization: `Bearer ${reviveJson<{ key: string }>(created).key}`,
    body: JSON.stringify({ provider: 'ai-tutor', workflow: 'wf_abc123', inputs: INPUTS }),
    async stop() {
      await running.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Sends `count` requests over 64 connections; CPU microseconds that the target used for each. */
export async function load({ url, pid, path, authorization, body }: Target, count: number): Promise<number> {
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const headers = { authorization, 'content-type': 'application/json' };
  let left = count;
  const before = cpuMicroseconds(pid);
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (left-- > 0) {
        const answer = await pool.request({ path, method: 'POST', headers, body });
        const text = await answer.body.text();
        if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
      }
    }),
  );
  const used = (cpuMicroseconds(pid) - before) / count;
  await pool.close();
  return used;
}

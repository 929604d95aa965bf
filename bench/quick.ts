/**
 * `npm run bench:quick`: CPU time per finished, stored run beside a bare @fastify/http-proxy hop, private
 * memory when idle, and the time until the gateway is ready. 64 connections, one static vendor.
 *
 * Both are started as their users would start them and warmed up until their code is compiled; then they take turns,
 * who goes first alternating, and the median of the rounds' ratios counts: whatever else the machine does meets both.
 * CPU is what the kernel has charged to the process with all its threads. The ratio holds for one machine.
 * `--rounds N`, `--requests N`, `--warm-up N`; `--limit RATIO`, `--idle-mb N`, `--ready-ms N` (what counts as a failure).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { cpuMicroseconds, privateMegabytes, start } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    requests: { type: 'string' },
    'warm-up': { type: 'string' },
    limit: { type: 'string' },
    'idle-mb': { type: 'string' },
    'ready-ms': { type: 'string' },
  },
});
const rounds = Number(values.rounds ?? 9);
const requests = Number(values.requests ?? 8_000);
/** After some 20,000 requests neither process compiles much any more. */
const warmUp = Number(values['warm-up'] ?? 30_000);
const limit = Number(values.limit ?? 1.3);
const idleMbMax = Number(values['idle-mb'] ?? 90);
const readyMsMax = Number(values['ready-ms'] ?? 500);
const CONNECTIONS = 64;
const ROOT = join(import.meta.dirname, '..');

const directory = mkdtempSync(join(tmpdir(), 'rungate-bench-'));
const portOf = (line: string) => (JSON.parse(line) as { port: number }).port;

const vendor = await start([join(ROOT, 'bench/support/static-vendor.ts')], {}, (line) => line.includes('port'));
const vendorUrl = `http://127.0.0.1:${portOf(vendor.lines[0] ?? '')}`;
const proxy = await start([join(ROOT, 'bench/support/bare-proxy.ts'), vendorUrl], {}, (line) => line.includes('port'));

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
const main = join(ROOT, 'bin/rungate.js');
const created = execFileSync(process.execPath, [main, 'keys', 'create', '--name', 'bench', '--json'], {
  env: { ...process.env, ...environment },
  encoding: 'utf8',
});
const { key } = JSON.parse(created) as { key: string };

async function startGateway() {
  const begunAt = performance.now();
  const running = await start([main, 'serve'], environment, (line) => line.startsWith('admin API'));
  return { running, readyMs: performance.now() - begunAt };
}

// Ready once to fill the disk's cache and the compile cache, then three times for the figure.
const readyTimes: number[] = [];
for (let i = 0; i < 4; i++) {
  const { running, readyMs } = await startGateway();
  if (i > 0) readyTimes.push(readyMs);
  await running.stop();
}
const { running: gateway } = await startGateway();
await new Promise((resolve) => setTimeout(resolve, 2_000));
const idleMb = privateMegabytes(gateway.pid);
const gatewayUrl = /http:\/\/\S+/.exec(gateway.lines.find((line) => line.startsWith('runs API')) ?? '')?.[0] ?? '';

interface Target {
  url: string;
  pid: number;
  path: string;
  headers: Record<string, string>;
  body: string;
}
const inputs = { story: 'A gateway that never loses a run', tone: 'dry' };
const targets = {
  proxy: {
    url: `http://127.0.0.1:${portOf(proxy.lines[0] ?? '')}`,
    pid: proxy.pid,
    path: '/api/v1/run/wf_abc123',
    headers: { authorization: 'Bearer sk_bench' },
    body: JSON.stringify(inputs),
  },
  rungate: {
    url: gatewayUrl,
    pid: gateway.pid,
    path: '/runs',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ provider: 'ai-tutor', workflow: 'wf_abc123', inputs }),
  },
} satisfies Record<string, Target>;

/** Sends `count` requests over 64 connections; CPU microseconds that the target used for each. */
async function load({ url, pid, path, headers, body }: Target, count: number): Promise<number> {
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  let left = count;
  const before = cpuMicroseconds(pid);
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (left-- > 0) {
        const answer = await pool.request({
          path,
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body,
        });
        const text = await answer.body.text();
        if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
      }
    }),
  );
  const used = (cpuMicroseconds(pid) - before) / count;
  await pool.close();
  return used;
}

for (const target of Object.values(targets)) await load(target, warmUp);
const seen: Record<keyof typeof targets, number[]> = { proxy: [], rungate: [] };
const ratios: number[] = [];
for (let round = 0; round < rounds; round++) {
  const order = round % 2 === 0 ? (['proxy', 'rungate'] as const) : (['rungate', 'proxy'] as const);
  for (const name of order) seen[name].push(await load(targets[name], requests));
  ratios.push((seen.rungate.at(-1) ?? NaN) / (seen.proxy.at(-1) ?? NaN));
}
await Promise.all([gateway.stop(), proxy.stop(), vendor.stop()]);
rmSync(directory, { recursive: true, force: true });

const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
const range = (numbers: readonly number[]) => `${Math.min(...numbers).toFixed(0)}–${Math.max(...numbers).toFixed(0)}`;
const ratio = median(ratios);
console.log(`CPU µs a request, median (range) of ${rounds} rounds of ${requests}, ${CONNECTIONS} connections`);
console.log(`  @fastify/http-proxy hop    ${median(seen.proxy).toFixed(0)} (${range(seen.proxy)})`);
console.log(`  Rungate, finished, stored  ${median(seen.rungate).toFixed(0)} (${range(seen.rungate)})`);
// Other work on the machine only ever adds, so this is what a quiet machine would show.
console.log(`  best round against best    ${(Math.min(...seen.rungate) / Math.min(...seen.proxy)).toFixed(2)}`);

let failed = 0;
function judge(name: string, value: string, good: boolean): void {
  if (!good) failed += 1;
  console.log(`${good ? 'ok  ' : 'MISS'} ${name}: ${value}`);
}
const spread = `${ratio.toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
judge(`ratio, at most ${limit}`, spread, ratio <= limit);
judge(`private memory when idle, under ${idleMbMax} MB`, `${idleMb.toFixed(0)} MB`, idleMb < idleMbMax);
judge(`ready, within ${readyMsMax} ms`, `${median(readyTimes).toFixed(0)} ms`, median(readyTimes) <= readyMsMax);
console.log(`${3 - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * `npm run bench:list`: reads beside a light write load, over a store with a million runs: the first page of
 * `GET /runs`, filtered and not, and one run. Times are seen from the client. `--runs N`, `--requests N`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { fillStore } from './support/fill-store.ts';
import { start } from './support/processes.ts';

const { values } = parseArgs({ options: { runs: { type: 'string' }, requests: { type: 'string' } } });
const runs = Number(values.runs ?? 1_000_000);
const requests = Number(values.requests ?? 500);
const READERS = 2;
const WRITES_A_SECOND = 20;
const WARM_UP = 200;
const PAGE_MS_MAX = 20;
const RUN_MS_MAX = 3;
const ROOT = join(import.meta.dirname, '..');
const main = join(ROOT, 'src/main.ts');

const directory = mkdtempSync(join(tmpdir(), 'rungate-bench-'));
const vendor = await start([join(ROOT, 'bench/support/static-vendor.ts')], {}, (line) => line.includes('port'));
const { port } = JSON.parse(vendor.lines[0] ?? '') as { port: number };
writeFileSync(
  join(directory, 'rungate.yaml'),
  `providers:\n  ai-tutor:\n    base_url: http://127.0.0.1:${port}\n    allow_private_network: true\n    credentials: [env:BENCH_KEY]\n`,
);
const environment = {
  RUNGATE_CONFIG: join(directory, 'rungate.yaml'),
  RUNGATE_DATA_DIR: directory,
  RUNGATE_PORT: '0',
  RUNGATE_ADMIN_PORT: '0',
  RUNGATE_LOG_LEVEL: 'error',
  BENCH_KEY: 'sk_bench',
};

function makeKey(role: string): { id: string; key: string } {
  const argv = [main, 'keys', 'create', '--name', role, '--role', role, '--json'];
  const printed = execFileSync(process.execPath, argv, { env: { ...process.env, ...environment }, encoding: 'utf8' });
  return JSON.parse(printed) as { id: string; key: string };
}
const own = makeKey('runs');
const admin = makeKey('admin');

const begunAt = performance.now();
const filled = fillStore(join(directory, 'rungate.db'), { runs, lineage: own.id });
const megabytes = statSync(join(directory, 'rungate.db')).size / 1e6;
console.log(
  `${runs} runs, ${megabytes.toFixed(0)} MB, filled in ${((performance.now() - begunAt) / 1000).toFixed(0)} s`,
);

const gateway = await start([main, 'serve'], environment, (line) => line.startsWith('admin API'));
const url = /http:\/\/\S+/.exec(gateway.lines.find((line) => line.startsWith('runs API')) ?? '')?.[0] ?? '';
const pool = new Pool(url, { connections: READERS + 2, pipelining: 1 });

async function ask(path: string, key: string, body: string | null = null): Promise<{ length: number; text: string }> {
  const answer = await pool.request({
    path,
    method: body === null ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${key}`, ...(body !== null && { 'content-type': 'application/json' }) },
    body,
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  return { length: text.length, text };
}

/** Milliseconds of each of many requests, in order of size. */
async function measure(path: (i: number) => string, key: string): Promise<number[]> {
  for (let i = 0; i < WARM_UP; i++) await ask(path(i), key);
  const times: number[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: READERS }, async () => {
      while (next < requests) {
        const i = next++;
        const at = performance.now();
        await ask(path(i), key);
        times.push(performance.now() - at);
      }
    }),
  );
  return times.toSorted((a, b) => a - b);
}

const writing = new AbortController();
let written = 0;
const body = JSON.stringify({ provider: 'ai-tutor', workflow: 'wf_1', inputs: { topic: 'time' } });
const writer = (async () => {
  while (!writing.signal.aborted) {
    await ask('/runs', own.key, body);
    written++;
    await new Promise((resolve) => setTimeout(resolve, 1000 / WRITES_A_SECOND));
  }
})();

const time = (ms: number) => new Date(ms).toISOString();
const idOf = (i: number) => filled.ids[(i * 37) % filled.ids.length] ?? '';
const cases: [name: string, path: (i: number) => string, key: string, msMax: number][] = [
  ['one run', (i) => `/runs/${idOf(i)}`, admin.key, RUN_MS_MAX],
  ['first page, everyone’s', () => '/runs', admin.key, PAGE_MS_MAX],
  ['first page, a key’s own', () => '/runs', own.key, PAGE_MS_MAX],
  ['first page of 100 with payloads', () => '/runs?limit=100&include=inputs,output', admin.key, PAGE_MS_MAX],
  ['by status, one in a hundred', () => '/runs?status=failed', admin.key, PAGE_MS_MAX],
  ['by status, none there', () => '/runs?status=waiting', admin.key, PAGE_MS_MAX],
  ['by provider and workflow', () => '/runs?provider=b3os&workflow=workflow-3', admin.key, PAGE_MS_MAX],
  ['by a tag, one in ten thousand', () => '/runs?tag=rare', admin.key, PAGE_MS_MAX],
  ['by metadata, one in all', (i) => `/runs?metadata[order]=${i}`, own.key, PAGE_MS_MAX],
  ['by metadata, every run', () => '/runs?metadata[plan]=free', own.key, PAGE_MS_MAX],
  ['in the middle of the time', () => `/runs?created_before=${time(filled.middle)}`, admin.key, PAGE_MS_MAX],
  [
    'a span of time, own and failed',
    () => `/runs?status=failed&created_after=${time(filled.middle)}&created_before=${time(filled.middle + 3_600_000)}`,
    own.key,
    PAGE_MS_MAX,
  ],
];

let failed = 0;
const at = (times: readonly number[], share: number) => times[Math.floor(times.length * share)] ?? NaN;
console.log(`${requests} requests each, ${READERS} readers, beside ${WRITES_A_SECOND} runs a second`);
for (const [name, path, key, msMax] of cases) {
  const times = await measure(path, key);
  const p95 = at(times, 0.95);
  const good = p95 < msMax;
  if (!good) failed++;
  const figures = [0.5, 0.95, 0.99].map((share) => at(times, share).toFixed(1)).join(' / ');
  console.log(`${good ? 'ok  ' : 'MISS'} ${name}: p50 / p95 / p99 ${figures} ms (p95 under ${msMax})`);
}
writing.abort();
await writer;
await pool.close();
await Promise.all([gateway.stop(), vendor.stop()]);
rmSync(directory, { recursive: true, force: true });
console.log(`${written} runs written meanwhile`);
console.log(`${cases.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

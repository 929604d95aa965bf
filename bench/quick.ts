/**
 * `npm run bench:quick`: CPU time per finished, stored run beside a bare @fastify/http-proxy hop, private
 * memory when idle, and the time until the gateway is ready. 64 connections, one static vendor. The gateway is the one
 * that an image has in it: `npm run build`, elsewhere. How soon the source is ready is told beside it.
 *
 * All are started as their users would start them and warmed up until their code is compiled; then they take turns,
 * who goes first alternating, so that whatever else the machine does meets all. What V8 inlines differs from process to
 * process, and CPU time with it by a tenth and more: so that is done with several sets of fresh processes, and the median of
 * their ratios counts. CPU is what the kernel has charged to a process with all its threads. The ratio holds for one machine.
 * `--sets N`, `--rounds N`, `--requests N`, `--warm-up N`; `--limit RATIO`, `--idle-mb N`, `--ready-ms N` (what counts as a
 * failure); `--source`: the source, not the build; `--beside DIRECTORY`: another checkout's gateway or another build too,
 * `--beside-limit RATIO`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildProgram } from '../scripts/support/build-program.ts';
import { startVendor } from './support/bench-gateway.ts';
import { privateMegabytes } from './support/processes.ts';
import { load, startGateway, startProxy, type Target } from './support/quick-targets.ts';

const { values } = parseArgs({
  options: {
    sets: { type: 'string' },
    rounds: { type: 'string' },
    requests: { type: 'string' },
    'warm-up': { type: 'string' },
    limit: { type: 'string' },
    'idle-mb': { type: 'string' },
    'ready-ms': { type: 'string' },
    source: { type: 'boolean' },
    beside: { type: 'string' },
    'beside-limit': { type: 'string' },
  },
});
const sets = Number(values.sets ?? 5);
const rounds = Number(values.rounds ?? 4);
const requests = Number(values.requests ?? 8_000);
/** After some 20,000 requests no process compiles much any more. */
const warmUp = Number(values['warm-up'] ?? 30_000);
const limit = Number(values.limit ?? 1.3);
const idleMbMax = Number(values['idle-mb'] ?? 90);
const readyMsMax = Number(values['ready-ms'] ?? 500);
const { beside } = values;
const besideLimit = Number(values['beside-limit'] ?? 1.1);
const IDLE_MS = 2_000;
const SOURCE = join(import.meta.dirname, '..');

type Name = 'proxy' | 'rungate' | 'beside';

/** CPU microseconds a request, for each set the mean of its rounds. */
const seen: Record<Name, number[]> = { proxy: [], rungate: [], beside: [] };
const readyMs: number[] = [];
const sourceReadyMs: number[] = [];
const idleMb: number[] = [];

async function measureSet(vendorUrl: string, root: string): Promise<void> {
  await using running = new AsyncDisposableStack();
  async function started<T extends Target>(starting: Promise<T>): Promise<T> {
    const target = await starting;
    running.defer(() => target.stop());
    return target;
  }
  const source = await startGateway(vendorUrl, SOURCE);
  sourceReadyMs.push(source.readyMs);
  await source.stop();
  const gateway = await started(startGateway(vendorUrl, root));
  await sleep(IDLE_MS);
  readyMs.push(gateway.readyMs);
  idleMb.push(privateMegabytes(gateway.pid));
  const targets: [Name, Target][] = [
    ['proxy', await started(startProxy(vendorUrl))],
    ['rungate', gateway],
  ];
  if (beside !== undefined) targets.push(['beside', await started(startGateway(vendorUrl, beside))]);
  for (const [, target] of targets) await load(target, warmUp);
  const used: Record<Name, number> = { proxy: 0, rungate: 0, beside: 0 };
  for (let round = 0; round < rounds; round++) {
    for (const [name, target] of round % 2 === 0 ? targets : targets.toReversed()) {
      used[name] += await load(target, requests);
    }
  }
  for (const [name] of targets) seen[name].push(used[name] / rounds);
}

async function measure(): Promise<void> {
  await using running = new AsyncDisposableStack();
  const vendor = await startVendor('static-vendor.ts');
  running.defer(() => vendor.stop());
  const directory = mkdtempSync(join(tmpdir(), 'rungate-build-'));
  running.defer(() => rmSync(directory, { recursive: true, force: true }));
  const root = values.source === true ? SOURCE : directory;
  if (root !== SOURCE) await buildProgram(directory);
  // Once without counting, to fill the disk's cache and the compile caches.
  for (const each of new Set([SOURCE, root, beside ?? root])) {
    await (await startGateway(vendor.url, each)).stop();
  }
  for (let set = 0; set < sets; set++) await measureSet(vendor.url, root);
}
await measure();

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const [low = NaN, high = NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  return (low + high) / 2;
}
function spread(numbers: readonly number[], digits: number): string {
  const ends = [Math.min(...numbers), Math.max(...numbers)].map((end) => end.toFixed(digits));
  return `${median(numbers).toFixed(digits)} (${ends.join('–')})`;
}
const ratiosTo = (name: Name) => seen.rungate.map((used, set) => used / (seen[name][set] ?? NaN));

console.log(
  `CPU µs a request, median (range) of ${sets} sets of processes, ${rounds} rounds of ${requests}, 64 connections`,
);
console.log(`  @fastify/http-proxy hop    ${spread(seen.proxy, 0)}`);
console.log(`  Rungate, finished, stored  ${spread(seen.rungate, 0)}`);
if (beside !== undefined) console.log(`  Rungate of ${beside}  ${spread(seen.beside, 0)}`);
console.log(`ready from the source, which no build is needed for: ${spread(sourceReadyMs, 0)} ms`);

let passed = 0;
let failed = 0;
function judge(name: string, value: string, good: boolean): void {
  if (good) passed += 1;
  else failed += 1;
  console.log(`${good ? 'ok  ' : 'MISS'} ${name}: ${value}`);
}
const toProxy = ratiosTo('proxy');
judge(`ratio, at most ${limit}`, spread(toProxy, 2), median(toProxy) <= limit);
judge(`private memory when idle, under ${idleMbMax} MB`, `${spread(idleMb, 0)} MB`, median(idleMb) < idleMbMax);
judge(`ready, within ${readyMsMax} ms`, `${spread(readyMs, 0)} ms`, median(readyMs) <= readyMsMax);
if (beside !== undefined) {
  const toBeside = ratiosTo('beside');
  judge(`ratio to ${beside}, at most ${besideLimit}`, spread(toBeside, 2), median(toBeside) <= besideLimit);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * `npm run bench:polling`: the CPU that one process needs to poll many unfinished runs at the default interval.
 * `--runs N`, `--seconds N` of measurement, `--limit CORES`.
 */
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { startBenchGateway, startVendor } from './support/bench-gateway.ts';
import { cpuMicroseconds } from './support/processes.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string' }, seconds: { type: 'string' }, limit: { type: 'string' } },
});
const runs = Number(values.runs ?? 10_000);
const seconds = Number(values.seconds ?? 30);
const limit = Number(values.limit ?? 0.5);
/** After so long every run is polled at the longest interval. */
const SETTLING_MS = 60_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const vendor = await startVendor('polled-vendor.ts');
const gateway = await startBenchGateway('draft-and-goal', vendor.url);
const pool = new Pool(gateway.url, { connections: 32, pipelining: 1 });
const vendorPool = new Pool(vendor.url, { connections: 1 });

async function polls(): Promise<number> {
  const { body } = await vendorPool.request({ path: '/polls', method: 'GET' });
  return ((await body.json()) as { polls: number }).polls;
}

const body = JSON.stringify({ provider: 'draft-and-goal', workflow: 'wf_1', inputs: {}, timeout_s: 3_600 });
const headers = {
  authorization: gateway.authorization,
  'content-type': 'application/json',
  prefer: 'respond-async',
};
let left = runs;
await Promise.all(
  Array.from({ length: 32 }, async () => {
    while (left-- > 0) {
      const answer = await pool.request({ path: '/runs', method: 'POST', headers, body });
      await answer.body.text();
      if (answer.statusCode !== 202) throw new Error(`answered ${answer.statusCode}`);
    }
  }),
);
await pause(SETTLING_MS);
const [cpuBefore, pollsBefore, begun] = [cpuMicroseconds(gateway.pid), await polls(), performance.now()];
await pause(seconds * 1_000);
const tookS = (performance.now() - begun) / 1_000;
const cores = (cpuMicroseconds(gateway.pid) - cpuBefore) / 1e6 / tookS;
const pollsASecond = ((await polls()) - pollsBefore) / tookS;
await Promise.all([pool.close(), vendorPool.close()]);
await Promise.all([gateway.stop(), vendor.stop()]);

// At 15 s each, less a tenth of jitter on average of nothing: fewer would mean that polls came late.
const expected = runs / 15;
const onTime = pollsASecond > expected * 0.9;
const good = cores < limit;
console.log(`${runs} unfinished runs, ${pollsASecond.toFixed(0)} polls a second (${expected.toFixed(0)} at 15 s each)`);
console.log(`${onTime ? 'ok  ' : 'MISS'} polls come on time`);
console.log(`${good ? 'ok  ' : 'MISS'} cores, under ${limit}: ${cores.toFixed(2)}`);
const passed = Number(onTime) + Number(good);
console.log(`${passed} passed, ${2 - passed} failed`);
process.exitCode = passed === 2 ? 0 : 1;

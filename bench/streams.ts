/**
 * `npm run bench:streams`: CPU time per delta that is streamed by a vendor, stored and delivered, beside a bare Fastify SSE
 * echo of the same deltas. `--streams N` at once, `--rounds N`, `--gap-ms N` between deltas, `--limit RATIO`.
 *
 * Both take turns at the same vendor; CPU is what the kernel has charged to the process with all its threads, so the
 * figure holds as a ratio, on one machine.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { startBenchGateway, startVendor } from './support/bench-gateway.ts';
import { cpuMicroseconds, start } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    streams: { type: 'string' },
    rounds: { type: 'string' },
    'gap-ms': { type: 'string' },
    limit: { type: 'string' },
  },
});
const streams = Number(values.streams ?? 100);
const rounds = Number(values.rounds ?? 5);
const limit = Number(values.limit ?? 3);
const DELTAS = 200;
const portOf = (line: string) => (JSON.parse(line) as { port: number }).port;

const vendor = await startVendor('stream-vendor.ts', [String(DELTAS), values['gap-ms'] ?? '20']);
const echo = await start([join(import.meta.dirname, 'support/bare-echo.ts'), vendor.url], {}, (line) =>
  line.includes('port'),
);
const gateway = await startBenchGateway('ai-tutor', vendor.url);

interface Target {
  url: string;
  path: string;
  pid: number;
  headers: Record<string, string>;
  body: string;
}
const echoPort = portOf(echo.lines[0] ?? '');
const targets = {
  echo: { url: `http://127.0.0.1:${echoPort}`, path: '/echo', pid: echo.pid, headers: {}, body: '{}' },
  gateway: {
    url: gateway.url,
    path: '/runs',
    pid: gateway.pid,
    headers: { authorization: gateway.authorization, accept: 'text/event-stream' },
    body: JSON.stringify({ provider: 'ai-tutor', workflow: 'wf_abc123', inputs: { story: 'a gateway' } }),
  },
} satisfies Record<string, Target>;

/** Opens the streams at once and reads them to their ends; CPU microseconds for each delta of the vendor. */
async function load({ url, path, pid, headers, body }: Target): Promise<number> {
  const pool = new Pool(url, { connections: streams, pipelining: 1, bodyTimeout: 0, headersTimeout: 0 });
  const before = cpuMicroseconds(pid);
  await Promise.all(
    Array.from({ length: streams }, async () => {
      const answer = await pool.request({
        path,
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
      });
      const text = await answer.body.text();
      // The gateway tells the whole output once more, with the run's end.
      const told = (text.split('event: run.succeeded')[0] ?? '').split('a word or two, ').length - 1;
      if (answer.statusCode !== 200 || told !== DELTAS) throw new Error(`${url}: ${answer.statusCode}, ${told} deltas`);
    }),
  );
  const used = (cpuMicroseconds(pid) - before) / (streams * DELTAS);
  await pool.close();
  return used;
}

for (const target of Object.values(targets)) await load(target);
const seen: Record<keyof typeof targets, number[]> = { echo: [], gateway: [] };
const ratios: number[] = [];
for (let round = 0; round < rounds; round++) {
  for (const name of ['echo', 'gateway'] as const) seen[name].push(await load(targets[name]));
  ratios.push((seen.gateway.at(-1) ?? NaN) / (seen.echo.at(-1) ?? NaN));
}
await Promise.all([gateway.stop(), echo.stop(), vendor.stop()]);

const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
const ratio = median(ratios);
console.log(`CPU µs a delta, median of ${rounds} rounds of ${streams} streams of ${DELTAS} deltas`);
console.log(`  bare Fastify SSE echo        ${median(seen.echo).toFixed(1)}`);
console.log(`  Rungate, stored, delivered   ${median(seen.gateway).toFixed(1)}`);
const good = ratio <= limit;
const spread = `${ratio.toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
console.log(`${good ? 'ok  ' : 'MISS'} ratio, at most ${limit}: ${spread}`);
console.log(`${good ? 1 : 0} passed, ${good ? 0 : 1} failed`);
process.exitCode = good ? 0 : 1;

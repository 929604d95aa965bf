/**
 * `npm run bench:waiting`: what callers cost who wait at the same time for runs that are polled, half of them reading
 * events, half holding on with `Prefer: wait`. After a smaller one that warms everything up, six waves; private memory a
 * caller, heap after each wave, and whether memory grows from wave to wave. `--callers N`, `--waves N`.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { startBenchGateway, startVendor } from './support/bench-gateway.ts';
import { privateMegabytes } from './support/processes.ts';

const { values } = parseArgs({ options: { callers: { type: 'string' }, waves: { type: 'string' } } });
const callers = Number(values.callers ?? 10_000);
const waves = Number(values.waves ?? 6);
const KILOBYTES_MAX = 25;
const HEAP_GROWTH_MAX = 1.15;
const RSS_GROWTH_MAX = 1.02;
/** New callers a second: a wave comes over a few seconds, not in one moment. */
const CALLERS_AT_ONCE = 200;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const vendor = await startVendor('polled-vendor.ts');
const gateway = await startBenchGateway('draft-and-goal', vendor.url, {
  RUNGATE_STARTS_MAX: '1000',
  RUNGATE_POLLS_MAX: '256',
  RUNGATE_POLLS_PER_PROVIDER_MAX: '256',
  // What waiting costs is measured, not who is let in while the machine is busy with the wave itself.
  RUNGATE_OVERLOAD_DELAY_MS: '60000',
  RUNGATE_OVERLOAD_AT_ONCE_MAX: '100000',
});
const vendorPool = new Pool(vendor.url, { connections: 1 });
const { port } = new URL(gateway.url);

const body = JSON.stringify({ provider: 'draft-and-goal', workflow: 'wf_1', inputs: { Text_0: 'Hello world' } });

/** One caller on a connection of its own; `ended` resolves to all that it was told. */
async function call(i: number): Promise<{ socket: Socket; ended: Promise<string> }> {
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  const form = i % 2 === 0 ? 'Accept: text/event-stream' : 'Prefer: wait=300';
  socket.write(
    `POST /runs HTTP/1.1\r\nHost: gateway\r\nAuthorization: ${gateway.authorization}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${form}\r\n\r\n${body}`,
  );
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const ended = once(socket, 'close').then(() => text);
  ended.catch(() => {});
  return { socket, ended };
}

async function vendorSays(path: '/begin' | '/end'): Promise<void> {
  await (await vendorPool.request({ path, method: 'GET' })).body.text();
}

interface Wave {
  kilobytesEach: number;
  /** What V8 held on to while everybody waited, and gave back when asked. */
  uncollectedMb: number;
  heap: number;
  rss: number;
}

async function wave(callers: number): Promise<Wave> {
  await vendorSays('/begin');
  const before = privateMegabytes(gateway.pid);
  const open: Awaited<ReturnType<typeof call>>[] = [];
  while (open.length < callers) {
    const count = Math.min(CALLERS_AT_ONCE, callers - open.length);
    open.push(...(await Promise.all(Array.from({ length: count }, (_, i) => call(i)))));
    await pause(50);
  }
  await pause(10_000);
  const { rss, rssBefore } = await gateway.memory();
  const kilobytesEach = ((privateMegabytes(gateway.pid) - before) * 1024) / callers;
  await vendorSays('/end');
  const answers = await Promise.all(open.map(({ ended }) => ended));
  const bad = answers.filter((text) => !text.includes('"succeeded"') && !text.includes('run.succeeded'));
  if (bad.length > 0) {
    throw new Error(`${bad.length} of ${callers} callers were not told of the good end; the first was told ${bad[0]}`);
  }
  await pause(5_000);
  // What a first collection finalizes is garbage only for the next.
  await gateway.memory();
  await pause(1_000);
  return { kilobytesEach, uncollectedMb: (rssBefore - rss) / 1e6, ...(await gateway.memory()) };
}

/** Code is compiled and pools are filled by then, once and for all. */
await wave(Math.ceil(callers / 10));
const idle = await gateway.memory();
const seen: Wave[] = [];
for (let i = 0; i < waves; i++) {
  const one = await wave(callers);
  seen.push(one);
  const [heapMb, rssMb] = [one.heap / 1e6, one.rss / 1e6];
  console.log(
    `wave ${i + 1}: ${one.kilobytesEach.toFixed(1)} KB a caller (and ${one.uncollectedMb.toFixed(0)} MB not collected); ` +
      `afterwards heap ${heapMb.toFixed(1)} MB, RSS ${rssMb.toFixed(0)} MB`,
  );
}
await vendorPool.close();
await Promise.all([gateway.stop(), vendor.stop()]);

let failed = 0;
function judge(name: string, value: string, good: boolean): void {
  if (!good) failed += 1;
  console.log(`${good ? 'ok  ' : 'MISS'} ${name}: ${value}`);
}
const first = seen[0]?.kilobytesEach ?? NaN;
const heapGrowth = (seen.at(-1)?.heap ?? NaN) / idle.heap;
const rssGrowth = (seen.at(-1)?.rss ?? NaN) / (seen.at(-2)?.rss ?? NaN);
judge(`private memory a caller, at most ${KILOBYTES_MAX} KB`, `${first.toFixed(1)} KB`, first <= KILOBYTES_MAX);
judge('heap after the last wave, to that before the first', heapGrowth.toFixed(2), heapGrowth <= HEAP_GROWTH_MAX);
judge('RSS after the last wave, to that after the one before', rssGrowth.toFixed(3), rssGrowth <= RSS_GROWTH_MAX);
console.log(`${3 - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

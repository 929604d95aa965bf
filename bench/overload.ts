/**
 * `npm run bench:overload`: what becomes of callers when many times the load comes that fits. First that load alone,
 * then 20 times as much: the time of accepted runs against the first, the time of refusals, and whether anything is lost.
 *
 * The loads are open loops, in processes of their own, as are the vendor (30 ms) and the gateway. All share this machine:
 * so the times are taken by a small load that runs beside the flood and is part of it, and the flood itself is nicer than
 * everybody else. The flood's own times are printed too; they hold its own waiting for a core.
 * `--rate N` (a second, what fits), `--times N`, `--seconds N`, `--vendor-ms N`; `--limit RATIO`, `--refusal-ms N`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { reviveJson } from '../src/core/json.ts';
import { startBenchGateway, startVendor } from './support/bench-gateway.ts';
import { runCallers, type CallerReport } from './support/callers.ts';
import { cpuMicroseconds } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    rate: { type: 'string' },
    times: { type: 'string' },
    seconds: { type: 'string' },
    'vendor-ms': { type: 'string' },
    limit: { type: 'string' },
    'refusal-ms': { type: 'string' },
  },
});
const rate = Number(values.rate ?? 500);
const times = Number(values.times ?? 20);
/** So long that the slow beginning of the flood, some 0.2 s, is less than a hundredth of it. */
const seconds = Number(values.seconds ?? 60);
const vendorMs = Number(values['vendor-ms'] ?? 30);
const limit = Number(values.limit ?? 2);
const refusalMs = Number(values['refusal-ms'] ?? 50);
const WARM_UP_S = 15;
const FLOOD_CONNECTIONS = 1_000;
const FLOOD_NICENESS = 5;

const vendor = await startVendor('static-vendor.ts', [String(vendorMs)]);
const gateway = await startBenchGateway('ai-tutor', vendor.url);
const to = {
  url: gateway.url,
  authorization: gateway.authorization,
  body: JSON.stringify({ provider: 'ai-tutor', workflow: 'wf_abc123', inputs: { story: 'A gateway', tone: 'dry' } }),
};
/** Those whose times count. */
const probing = { ...to, perSecond: rate, connections: rate, niceness: 0 };
const flooding = { ...to, connections: FLOOD_CONNECTIONS, niceness: FLOOD_NICENESS };
const reports: CallerReport[] = [];

async function load(...all: Parameters<typeof runCallers>): Promise<CallerReport> {
  const report = await runCallers(...all);
  reports.push(report);
  return report;
}

// Compiles what is going to run: accepted runs, then refusals.
await load({ ...probing, perSecond: rate * 2, seconds: WARM_UP_S });
await load({ ...flooding, perSecond: rate * (times - 1), seconds: WARM_UP_S / 3 });
await new Promise((resolve) => setTimeout(resolve, 3_000));

// This process has nothing to do: what it is late by, everybody was late by on this machine.
const idle = monitorEventLoopDelay({ resolution: 1 });
const calm = await load({ ...probing, seconds });
const cpuBefore = cpuMicroseconds(gateway.pid);
const vendorBefore = cpuMicroseconds(vendor.pid);
idle.enable();
const [probe, flood] = await Promise.all([
  load({ ...probing, seconds }),
  load({ ...flooding, perSecond: rate * (times - 1), seconds }),
]);
idle.disable();
const gatewayCpu = cpuMicroseconds(gateway.pid) - cpuBefore;
const vendorCpu = cpuMicroseconds(vendor.pid) - vendorBefore;

/** How many runs the store has, and how many of them did not succeed. */
async function storedRuns(): Promise<{ succeeded: number; others: number }> {
  const count = { succeeded: 0, others: 0 };
  for (let cursor: string | null = ''; cursor !== null;) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await fetch(`${to.url}/runs?limit=100${query}`, { headers: { authorization: to.authorization } });
    const page = reviveJson<{ data: { status: string }[]; next_cursor: string | null }>(await answer.text());
    for (const { status } of page.data) count[status === 'succeeded' ? 'succeeded' : 'others'] += 1;
    cursor = page.next_cursor;
  }
  return count;
}
const stored = await storedRuns();
await Promise.all([gateway.stop(), vendor.stop()]);

function quantile(numbers: readonly number[], share: number): number {
  return (
    numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ?? Number.NaN
  );
}
const quantiles = (numbers: readonly number[]) =>
  [0.5, 0.9, 0.99, 1].map((share) => quantile(numbers, share).toFixed(1)).join(' / ');
const perSecond = (count: number) => (count / seconds).toFixed(0);
const cores = (cpuMs: number) => (cpuMs / 1000 / seconds).toFixed(2);

const accepted = probe.accepted.length + flood.accepted.length;
const sent = probe.sent + flood.sent;
console.log(
  `${rate} runs a second fit; then ${times} times as many for ${seconds} s. The vendor takes ${vendorMs} ms.`,
);
console.log('ms, p50 / p90 / p99 / worst');
console.log(`  load that fits, accepted     ${quantiles(calm.accepted)} (${calm.refused.length} refused)`);
console.log(`  beside the flood, accepted   ${quantiles(probe.accepted)} (of ${probe.accepted.length})`);
console.log(`  beside the flood, refused    ${quantiles(probe.refused)} (of ${probe.refused.length})`);
console.log(`  the flood itself, accepted   ${quantiles(flood.accepted)}`);
console.log(`  the flood itself, refused    ${quantiles(flood.refused)}`);
console.log(
  `a second: ${perSecond(sent)} sent (${perSecond(flood.late)} more were due), ${perSecond(accepted)} accepted; ` +
    `cores: gateway ${cores(gatewayCpu / 1000)}, vendor ${cores(vendorCpu / 1000)}, callers ${cores(probe.cpuMs + flood.cpuMs)}`,
);
console.log(
  `a process without work was late meanwhile by ms, p99 / worst: ${[idle.percentile(99), idle.max].map((late) => (late / 1e6 - 1).toFixed(1)).join(' / ')}`,
);

let failed = 0;
function judge(name: string, value: string, good: boolean): void {
  if (!good) failed += 1;
  console.log(`${good ? 'ok  ' : 'MISS'} ${name}: ${value}`);
}
const ratio = quantile(probe.accepted, 0.99) / quantile(calm.accepted, 0.99);
const refused = quantile(probe.refused, 0.99);
const broken = reports.flatMap((report) => report.broken);
const answered = reports.reduce((sum, report) => sum + report.accepted.length, 0);
const share = accepted / sent;
judge(`p99 of accepted, to that of the load that fits, at most ${limit}`, ratio.toFixed(2), ratio <= limit);
judge(`p99 of refusals, within ${refusalMs} ms`, `${refused.toFixed(1)} ms`, refused <= refusalMs);
judge(
  'at least the load that fits is accepted',
  `${perSecond(accepted)} a second, ${(share * 100).toFixed(1)} %`,
  accepted >= rate * seconds,
);
judge('the load that fits is not refused', String(calm.refused.length), calm.refused.length === 0);
judge(
  'lost or broken answers',
  broken.length === 0 ? '0' : `${broken.length}, such as ${broken[0]}`,
  broken.length === 0,
);
const runs = `${stored.succeeded} stored for ${answered} answered, ${stored.others} that did not succeed`;
judge('accepted runs are stored, and no others', runs, stored.succeeded === answered && stored.others === 0);
console.log(`${6 - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

import { setTimeout as sleep } from 'node:timers/promises';
import { reviveJson } from '../../../src/core/json.ts';
import type { GatewayProcess } from '../../../test/support/processes/gateway-process.ts';
import type { Tally } from './tally.ts';

/** How the gateway stands at a moment; of its memory after a forced garbage collection. */
export interface SoakSample {
  atS: number;
  heapMb: number;
  rssMb: number;
  /** That clients were told of so far. */
  runs: number;
  /** Since the last sample. */
  lagMsMax: number;
  commits: number;
  commitMs: number;
}

export interface Sampled {
  gateway: GatewayProcess;
  tally: Tally;
  /** On the monotonic clock. */
  begunAt: number;
}

const SAMPLE_MS = 10_000;
const MEGABYTE = 1024 * 1024;

/** Takes and prints a sample every ten seconds. */
export async function sampleUntil(untilMs: number, of: Sampled): Promise<SoakSample[]> {
  const samples: SoakSample[] = [];
  let before = await totals(of.gateway);
  while (performance.now() + SAMPLE_MS < untilMs) {
    await sleep(SAMPLE_MS);
    const now = await totals(of.gateway);
    const commits = now.commits - before.commits;
    const commitMs = ((now.commitS - before.commitS) * 1000) / Math.max(1, commits);
    const sample = { ...(await sampleMemory(of)), lagMsMax: now.lagMsMax, commits, commitMs };
    console.log(lineOf(sample, samples.at(-1)?.runs ?? 0));
    samples.push(sample);
    before = now;
  }
  await sleep(untilMs - performance.now());
  return samples;
}

export async function sampleMemory({ gateway, tally, begunAt }: Sampled) {
  const { heap, rss } = reviveJson<{ heap: number; rss: number }>(await gateway.report());
  const atS = (performance.now() - begunAt) / 1000;
  return { atS, heapMb: heap / MEGABYTE, rssMb: rss / MEGABYTE, runs: tally.accepted.size };
}

/** One series of the gateway's metrics. */
export async function readMetric(gateway: GatewayProcess, series: string): Promise<number> {
  return valueOf(await gateway.metrics(), series);
}

async function totals(gateway: GatewayProcess): Promise<{ lagMsMax: number; commits: number; commitS: number }> {
  const text = await gateway.metrics();
  return {
    lagMsMax: valueOf(text, 'rungate_event_loop_lag_seconds{stat="max"}') * 1000,
    commits: valueOf(text, 'rungate_store_commit_seconds_count'),
    commitS: valueOf(text, 'rungate_store_commit_seconds_sum'),
  };
}

function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  if (line === undefined) throw new Error(`there is no metric ${series}`);
  return Number(line.slice(series.length + 1));
}

function lineOf(sample: SoakSample, runsBefore: number): string {
  const { atS, heapMb, rssMb, runs, lagMsMax, commits, commitMs } = sample;
  const figures = [
    `${heapMb.toFixed(1)} MB of heap`,
    `${rssMb.toFixed(0)} MB resident`,
    `${runs - runsBefore} more runs`,
    `event loop at most ${lagMsMax.toFixed(0)} ms late`,
    `${commits} commits of ${commitMs.toFixed(1)} ms`,
  ];
  return `${atS.toFixed(0).padStart(4)} s  ${figures.join(', ')}`;
}

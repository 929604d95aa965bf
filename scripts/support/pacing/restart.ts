import { setTimeout as sleep } from 'node:timers/promises';
import type { RenderedRun } from '../../../src/runs/render-run.ts';
import type { Check } from '../../../test/support/processes/checks.ts';
import { clientOf, preparePacedGateway, sendRuns, STARTS_A_MINUTE, untilAllEnded, WINDOW_MS } from './paced-gateway.ts';
import { startStrictVendor, type VendorStart } from './strict-vendor.ts';

const RUNS = 50;
/** Longer than a poll's pause, so that the restart meets runs under way. */
const RUN_MS = 4_000;
/** When so many were started: the next ones are due a minute later, and must not come with the new process. */
const RESTART_AFTER = 20;
/** The starts are answered and their runs go on. */
const RESTART_MS = 1_000;
const LOOK_AGAIN_MS = 50;
/** Beyond the minutes that the vendor's limit takes. */
const LATE_MS = 30_000;

/** Runs that wait for a minute's allowance, and a process that ends in the middle. */
export async function checkRestart(signal: 'SIGTERM' | 'SIGKILL'): Promise<Check[]> {
  await using vendor = await startStrictVendor({ startsMax: STARTS_A_MINUTE, windowMs: WINDOW_MS, runMs: RUN_MS });
  await using gateway = await preparePacedGateway(vendor.url);
  await gateway.start();
  using client = clientOf(gateway, gateway.key);
  const idealMs = (RUNS / STARTS_A_MINUTE - 1) * WINDOW_MS + RUN_MS;
  const patienceMs = idealMs + LATE_MS;
  const begunAt = Date.now();
  await sendRuns(client, 'run', RUNS);
  while (vendor.starts.length < RESTART_AFTER && Date.now() - begunAt < patienceMs) await sleep(LOOK_AGAIN_MS);
  await sleep(RESTART_MS);
  const before = vendor.starts.length;
  await (signal === 'SIGKILL' ? gateway.kill() : gateway.stop());
  await gateway.start();
  const restartedMs = Date.now() - begunAt;
  const runs = await untilAllEnded(client, patienceMs - restartedMs);
  const tookS = (Math.max(...runs.map((run) => Date.parse(run.finished_at ?? ''))) - begunAt) / 1000;
  const name = `${RUNS} runs, ${STARTS_A_MINUTE} a minute, ${signal} after ${before} starts`;
  return [
    {
      name: `${name}: no 429 of the vendor, never more than it allows in a minute`,
      detail: `at most ${busiest(vendor.starts)} starts in ${WINDOW_MS / 1000} s`,
      faults: vendor.starts.filter(({ refused }) => refused).map(({ workflow }) => `${workflow} got a 429`),
    },
    {
      name: `${name}: all have succeeded, each started once`,
      detail: `after ${tookS.toFixed(1)} s, ${(idealMs / 1000).toFixed(1)} s at best`,
      faults: [...endFaults(runs), ...startFaults(vendor.starts)],
    },
    { name: `${name}: no process complained`, detail: '', faults: [...gateway.complaints()] },
  ];
}

function busiest(starts: readonly VendorStart[]): number {
  const counts = starts.map(({ at }) => starts.filter((one) => one.at > at - WINDOW_MS && one.at <= at).length);
  return Math.max(0, ...counts);
}

function endFaults(runs: readonly RenderedRun[]): string[] {
  const missing = runs.length === RUNS ? [] : [`${runs.length} runs are there`];
  const bad = runs.filter(({ status }) => status !== 'succeeded');
  return [...missing, ...bad.map(({ workflow, status, error }) => `${workflow}: ${status} ${error?.code ?? ''}`)];
}

function startFaults(starts: readonly VendorStart[]): string[] {
  const counts = Map.groupBy(starts, ({ workflow }) => workflow);
  return Array.from({ length: RUNS }, (_, i) => `run-${i + 1}`).flatMap((workflow) => {
    const count = counts.get(workflow)?.length ?? 0;
    return count === 1 ? [] : [`${workflow}: ${count} starts`];
  });
}

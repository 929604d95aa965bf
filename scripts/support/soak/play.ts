import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { reviveJson } from '../../../src/core/json.ts';
import type { RenderedRun } from '../../../src/runs/render-run.ts';
import { prepareGatewayProcess, type GatewayProcess } from '../../../test/support/processes/gateway-process.ts';
import { startSandboxProcess } from '../../../test/support/processes/sandbox-process.ts';
import { seededRandom } from '../../../test/support/simulation/seeded-random.ts';
import { workflowIdOf } from '../../../test/support/workflow-ids.ts';
import { takeTurn } from './behaviours.ts';
import { SoakClient } from './soak-client.ts';
import { soakConfig, soakTargets, type SoakTarget } from './soak-config.ts';
import { readMetric, sampleMemory, sampleUntil, type SoakSample } from './samples.ts';
import { createTally, type Tally } from './tally.ts';

export interface SoakGame {
  minutes: number;
  clients: number;
  seed: number;
}

export interface PlayedSoak {
  tally: Tally;
  samples: SoakSample[];
  /** With nothing left to do. */
  idle: Pick<SoakSample, 'heapMb' | 'rssMb'>;
  /** Every run of the store, by status. */
  runs: Map<string, Pick<RenderedRun, 'status' | 'error' | 'workflow' | 'provider'>>;
  /** Of them, those that clients were told of while the load went on. */
  runsUnderLoad: number;
  /** How long after the end of the load the last run ended. */
  settledMs: number;
  unfinished: number;
  loadS: number;
  cpuS: number;
  complaints: readonly string[];
  alive: boolean;
}

const REPORT_MEMORY = fileURLToPath(new URL('../../../bench/support/report-memory.ts', import.meta.url));
const CONNECTIONS = 512;
const RUN_TIMEOUT_S = 120;
/** B3OS is asked for a run that it does not know for 30 s, at growing distances. */
const SETTLE_MS = 90_000;
const LOOK_AGAIN_MS = 500;
const PAGE = 100;

/** Faults by chance and callers of every sort, on a gateway of two keys, for as long as is wanted. */
export async function playSoak(game: SoakGame): Promise<PlayedSoak> {
  await using sandbox = await startSandboxProcess();
  const { config, environment } = soakConfig(sandbox);
  const nodeArguments = ['--expose-gc', '--import', REPORT_MEMORY];
  await using gateway = await prepareGatewayProcess({ config, environment, nodeArguments });
  await gateway.start();
  const targets = soakTargets();
  for (const { kind, workflow } of [...targets, { kind: 'interactly', workflow: 'asks' }]) {
    if (kind !== undefined) await sandbox.workflowId(kind, workflow);
  }
  const pool = new Pool(gateway.url, { connections: CONNECTIONS });
  const tally = createTally();
  const keys = [gateway.key, await gateway.createKey('others')];
  const clients = keys.map((key) => new SoakClient(pool, key, tally));
  const begunAt = performance.now();
  const untilMs = begunAt + game.minutes * 60_000;
  const cpuBeforeS = await readMetric(gateway, 'process_cpu_seconds_total');
  const callers = Array.from({ length: game.clients }, (_, i) => {
    const client = clients[i % clients.length];
    if (client === undefined) throw new Error('there is no client');
    return callUntil(untilMs, client, { targets, seed: game.seed + i });
  });
  const sampled = { gateway, tally, begunAt };
  const samples = await sampleUntil(untilMs, sampled);
  const endedAt = performance.now();
  const runsUnderLoad = tally.accepted.size;
  const cpuS = (await readMetric(gateway, 'process_cpu_seconds_total')) - cpuBeforeS;
  await Promise.all(callers);
  const settledMs = await settle(gateway, endedAt);
  const unfinished = await readMetric(gateway, 'rungate_runs_unfinished');
  const runs: PlayedSoak['runs'] = new Map();
  for (const client of clients) await readRuns(client, runs);
  const played = {
    tally,
    samples,
    idle: await sampleMemory(sampled),
    runs,
    runsUnderLoad,
    settledMs,
    unfinished,
    loadS: (endedAt - begunAt) / 1000,
    cpuS,
    alive: (await fetch(`${gateway.url}/healthz`)).status === 200,
  };
  await pool.close();
  await gateway.stop();
  return { ...played, complaints: gateway.complaints() };
}

/** One client: the next call when the last one is over. */
async function callUntil(
  untilMs: number,
  client: SoakClient,
  { targets, seed }: { targets: readonly SoakTarget[]; seed: number },
): Promise<void> {
  const random = seededRandom(seed);
  const weights = Object.fromEntries(targets.map(({ weight }, i) => [String(i), weight]));
  for (let turn = 0; performance.now() < untilMs; turn++) {
    const target = targets[Number(random.weigh(weights))];
    if (target === undefined) throw new Error('there is no target to pick');
    const asks = bodyOf({ provider: 'interactly', kind: 'interactly', workflow: 'asks', weight: 0 }, 'asks');
    await takeTurn({ client, body: bodyOf(target, `${seed}-${turn}`), asks, random });
  }
}

function bodyOf({ provider, kind, workflow }: SoakTarget, marker: string) {
  return {
    ...(provider === undefined ? {} : { provider }),
    workflow: kind === undefined ? workflow : workflowIdOf(kind, workflow),
    inputs: { marker },
    metadata: { user: marker },
    timeout_s: RUN_TIMEOUT_S,
  };
}

/** Milliseconds after `sinceMs` until no run is open; those of the whole patience where one stays. */
async function settle(gateway: GatewayProcess, sinceMs: number): Promise<number> {
  while (performance.now() - sinceMs < SETTLE_MS) {
    if ((await readMetric(gateway, 'rungate_runs_unfinished')) === 0) break;
    await sleep(LOOK_AGAIN_MS);
  }
  return performance.now() - sinceMs;
}

async function readRuns(client: SoakClient, runs: PlayedSoak['runs']): Promise<void> {
  for (let cursor: string | null = ''; cursor !== null;) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(cursor === '' ? {} : { cursor }) });
    const answer = await client.send({ method: 'GET', path: `/runs?${query.toString()}` });
    if (answer === null) throw new Error('the runs could not be listed');
    const page = reviveJson<{ data: RenderedRun[]; next_cursor: string | null }>(answer.text);
    for (const { id, status, error, workflow, provider } of page.data)
      runs.set(id, { status, error, workflow, provider });
    cursor = page.next_cursor;
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { RenderedRun } from '../../../src/runs/render-run.ts';
import { prepareGatewayProcess, type GatewayProcess } from '../../../test/support/processes/gateway-process.ts';
import { createHttpClient, runIdOf, type HttpClient } from '../../../test/support/processes/http-client.ts';

/** What the vendor allows, and the gateway is told to keep to. */
export const STARTS_A_MINUTE = 10;
export const WINDOW_MS = 60_000;
/** So long a run may wait at most. */
const TIMEOUT_S = 3_600;
const CONNECTIONS = 50;
const PAGE = 100;
const LOOK_AGAIN_MS = 1_000;

/** A gateway process that is told of a vendor's limit. It is not started. */
export function preparePacedGateway(vendorUrl: string): Promise<GatewayProcess> {
  const provider = {
    kind: 'draft-and-goal',
    base_url: vendorUrl,
    allow_private_network: true,
    credentials: ['env:STRICT_KEY'],
    limits: { requests_per_minute: STARTS_A_MINUTE },
  };
  return prepareGatewayProcess({
    // JSON is YAML.
    config: JSON.stringify({ providers: { strict: provider } }),
    environment: { STRICT_KEY: 'strict-key' },
  });
}

export function clientOf({ url }: GatewayProcess, key: string): HttpClient {
  return createHttpClient({ url, key, connections: CONNECTIONS });
}

/** Sends runs `<name>-1`, `<name>-2`, …, in this order; rejects where one is not taken. Resolves to their ids. */
export async function sendRuns(client: HttpClient, name: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 1; number <= count; number++) {
    const body = { provider: 'strict', workflow: `${name}-${number}`, timeout_s: TIMEOUT_S };
    const answer = await client.ask({ method: 'POST', path: '/runs', headers: { prefer: 'respond-async' }, body });
    const id = runIdOf(answer);
    if (answer.status !== 202 || id === null) throw new Error(`${name}-${number}: HTTP ${answer.status}`);
    ids.push(id);
  }
  return ids;
}

/** Every run of the client's key once none of them is open, or `patienceMs` later. */
export async function untilAllEnded(client: HttpClient, patienceMs: number): Promise<RenderedRun[]> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const runs = await readRuns(client);
    if (runs.every((run) => run.finished_at !== null) || performance.now() > until) return runs;
    await sleep(LOOK_AGAIN_MS);
  }
}

async function readRuns(client: HttpClient): Promise<RenderedRun[]> {
  const runs: RenderedRun[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(cursor === '' ? {} : { cursor }) });
    const { body } = await client.ask({ method: 'GET', path: `/runs?${query.toString()}` });
    const page = body as unknown as { data: RenderedRun[]; next_cursor: string | null };
    runs.push(...page.data);
    cursor = page.next_cursor;
  }
  return runs;
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../../src/core/json.ts';
import type { RenderedRun } from '../../../src/runs/render-run.ts';
import { prepareGatewayProcess } from '../../../test/support/processes/gateway-process.ts';
import {
  createHttpClient,
  refusalOf,
  runIdOf,
  type ClientAnswer,
  type HttpClient,
} from '../../../test/support/processes/http-client.ts';
import {
  startSandboxProcess,
  type SandboxProcess,
  type SeenStart,
} from '../../../test/support/processes/sandbox-process.ts';
import { startBrokenServers, type BrokenServers } from './broken-servers.ts';
import { FAULTS, KINDS, type Fault, type Kind } from './fault-list.ts';

/** What one fault at one vendor came to. */
export interface PlayedFault {
  kind: Kind;
  fault: Fault;
  /** HTTP status of the first whole answer to `POST /runs`. */
  httpStatus: number;
  /** The code of its envelope; null where it was a run. */
  refusal: string | null;
  run: RenderedRun;
  tookMs: number;
  starts: SeenStart[];
  /** Whether a credential of the vendor could be read in an answer. */
  leaked: boolean;
}

export interface PlayedFaults {
  faults: PlayedFault[];
  /** What never came to an end. */
  broken: string[];
  complaints: readonly string[];
  alive: boolean;
}

const CONNECTIONS = 1_000;
const ENDED: readonly string[] = ['succeeded', 'failed', 'cancelled', 'timed_out'];
/** Of a run that is given up as stuck. */
const PATIENCE_MS = 150_000;
/** Shorter than what is shipped, which would be waited for in vain: 30 s, and at AI Tutor and Interactly 300 s. */
const TIMEOUTS = { headers_s: 4, idle_s: 4 };

interface Case {
  kind: Kind;
  fault: Fault;
  provider: string;
}

/** Every fault at every kind at once, each at a provider and with a credential of its own. */
export async function playFaults(): Promise<PlayedFaults> {
  await using sandbox = await startSandboxProcess();
  const servers = await startBrokenServers();
  const cases = KINDS.flatMap((kind) =>
    FAULTS.filter(({ kinds = KINDS }) => kinds.includes(kind)).map((fault, i) => ({
      kind,
      fault,
      provider: `${kind}-${i}`,
    })),
  );
  const config = {
    providers: Object.fromEntries(cases.map((one) => [one.provider, providerOf(one, sandbox, servers)])),
  };
  const keys = cases.map(({ kind, provider }) => [variableOf(provider), sandbox.vendors[kind]?.key ?? '']);
  await using gateway = await prepareGatewayProcess({
    // JSON is YAML.
    config: JSON.stringify(config),
    environment: Object.fromEntries(keys),
  });
  await gateway.start();
  using client = createHttpClient({ url: gateway.url, key: gateway.key, connections: CONNECTIONS });
  const results = await Promise.allSettled(cases.map((one) => playOne(one, sandbox, client)));
  const starts = Map.groupBy(await sandbox.starts(), ({ kind, workflow }) => `${kind} ${workflow}`);
  const played = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const { status } = await fetch(`${gateway.url}/healthz`);
  return {
    faults: played.map((one) => ({ ...one, starts: starts.get(`${one.kind} ${one.fault.workflow}`) ?? [] })),
    broken: results.flatMap((result, i) => {
      return result.status === 'rejected'
        ? [`${cases[i]?.kind}: ${cases[i]?.fault.name}: ${String(result.reason)}`]
        : [];
    }),
    complaints: gateway.complaints(),
    alive: status === 200,
  };
}

function providerOf({ kind, fault, provider }: Case, sandbox: SandboxProcess, servers: BrokenServers): object {
  return {
    kind,
    base_url: fault.server === undefined ? sandbox.vendors[kind]?.base_url : servers[fault.server],
    allow_private_network: fault.server !== 'forbidden',
    credentials: [`env:${variableOf(provider)}`],
    timeouts: TIMEOUTS,
  };
}

function variableOf(provider: string): string {
  return `KEY_${provider.toUpperCase().replaceAll('-', '_')}`;
}

async function playOne(
  { kind, fault, provider }: Case,
  sandbox: SandboxProcess,
  client: HttpClient,
): Promise<PlayedFault> {
  const { timeoutS } = fault;
  const body = {
    provider,
    workflow: await sandbox.workflowId(kind, fault.workflow),
    inputs: { Text_0: 'Hello world' },
    ...(timeoutS === undefined ? {} : { timeout_s: timeoutS }),
  };
  const begunMs = performance.now();
  const { first, id } = await untilWritten(client, body);
  const last = await untilEnded(client, id, begunMs);
  const run = last.body as unknown as RenderedRun;
  const key = sandbox.vendors[kind]?.key ?? '';
  return {
    kind,
    fault,
    httpStatus: first.status,
    refusal: refusalOf(first)?.code ?? null,
    run,
    tookMs: Date.parse(run.finished_at ?? '') - Date.parse(run.created_at),
    starts: [],
    leaked: [first, last].some((answer) => JSON.stringify(answer).includes(key)),
  };
}

/** All come at once, and one that is shed comes again, as it was told. */
async function untilWritten(client: HttpClient, body: JsonObject): Promise<{ first: ClientAnswer; id: string }> {
  for (;;) {
    const first = await client.ask({ method: 'POST', path: '/runs', body });
    const id = runIdOf(first);
    if (id !== null) return { first, id };
    const refusal = refusalOf(first)?.code;
    if (refusal !== 'overloaded') throw new Error(`refused before it was written: ${refusal}`);
    await sleep(Number(first.headers['retry-after']) * 1000);
  }
}

async function untilEnded(client: HttpClient, id: string, begunMs: number): Promise<ClientAnswer> {
  for (;;) {
    const answer = await client.ask({ method: 'GET', path: `/runs/${id}`, headers: { prefer: 'wait=30' } });
    const { status } = answer.body;
    if (typeof status === 'string' && ENDED.includes(status)) return answer;
    if (performance.now() - begunMs > PATIENCE_MS)
      throw new Error(`still ${typeof status === 'string' ? status : 'no run'}`);
  }
}

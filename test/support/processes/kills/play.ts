import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '../../../../src/core/clock.ts';
import type { RenderedRun } from '../../../../src/runs/render-run.ts';
import { createGatewayProcess, limitedProvider, type GatewayProcess } from '../gateway-process.ts';
import { createHttpClient, refusalOf, runIdOf, type ClientRequest, type HttpClient } from '../http-client.ts';
import { startSandboxProcess, type SandboxProcess, type SeenStart } from '../sandbox-process.ts';
import { planKills, type PlannedLife, type PlannedRun, type PlanOptions } from './plan.ts';

/** What one client saw. */
export interface ClientRecord {
  planned: PlannedRun;
  /** Runs that whole answers named, in order. */
  acknowledged: string[];
  /** Calls that met a listener. */
  calls: number;
  broken: number;
  /** Codes of answers that named no run and do not invite to send again. */
  refusals: string[];
  /** Of those with a key: the answer to the same call, once everything was over. */
  again: { runId: string | null; replayed: boolean } | null;
}

/** One SIGKILL; wall clock, milliseconds. */
export interface Kill {
  at: number;
  /** When the process was gone. */
  goneAt: number;
  /** Whether the database could be served at once. */
  lockFree: boolean;
}

/** Everything there is to judge. */
export interface PlayedKills {
  clients: ClientRecord[];
  kills: Kill[];
  /** When a process was ready, wall clock; fewer than kills where some died before. */
  ready: { at: number; tookMs: number }[];
  /** The store's runs at the end, by id. */
  runs: Map<string, RenderedRun>;
  /** What `GET /runs/{id}` answered for each acknowledged run. */
  found: Map<string, { status: number; run: RenderedRun | null }>;
  starts: SeenStart[];
  complaints: readonly string[];
  /** When the runs were read, wall clock. */
  readAt: number;
}

const CONNECTIONS = 500;
const RETRY_MS = 50;
/** A client whose call never gets an answer gives up, which is a fault. */
const CALL_PATIENCE_MS = 120_000;
/** Longer than any run may take, so that a late one is seen to be late. */
const SETTLE_MS = 60_000;
const SETTLE_LOOK_MS = 250;
/** A start that has not reached its vendor by then never will. */
const START_MS_MAX = 2_000;
const PAGE = 100;

/** Plays a plan: a sandbox, a gateway that is killed again and again, and the clients. */
export async function playKills(options: PlanOptions): Promise<PlayedKills> {
  await using sandbox = await startSandboxProcess();
  await using gateway = await createGatewayProcess(sandbox);
  using client = createHttpClient({ url: gateway.url, key: gateway.key, connections: CONNECTIONS });
  const kills: Kill[] = [];
  const ready: PlayedKills['ready'] = [];
  const calls: Promise<ClientRecord>[] = [];
  const lives = planKills(options);
  for (const { kind, workflow } of lives.flatMap(({ runs }) => runs)) await sandbox.workflowId(kind, workflow);
  for (const life of lives) {
    calls.push(...life.runs.map((planned) => playClient(planned, client)));
    await live(life, gateway, { kills, ready });
  }
  const clients = await Promise.all(calls);
  await untilSettled({ client, sandbox }, options);
  const found = await readAcknowledged(clients, client);
  for (const record of clients) await callAgain(record, found, client);
  return {
    clients,
    kills,
    ready,
    runs: await readRuns(client),
    found,
    starts: await sandbox.starts(),
    complaints: gateway.complaints(),
    readAt: Date.now(),
  };
}

async function live(
  { kill }: PlannedLife,
  gateway: GatewayProcess,
  { kills, ready }: Pick<PlayedKills, 'kills' | 'ready'>,
): Promise<void> {
  const started = gateway.start().then((tookMs) => {
    if (tookMs !== null) ready.push({ at: Date.now(), tookMs });
  });
  if (kill?.after === 'start') await sleep(kill.ms);
  else await started;
  if (kill === null) return;
  if (kill.after === 'ready') await sleep(kill.ms);
  const at = Date.now();
  await gateway.kill();
  kills.push({ at, goneAt: Date.now(), lockFree: gateway.lockIsFree() });
  await started;
}

/** Calls as a client does: again with its key when the connection broke; again in any case where nobody listened. */
async function playClient(planned: PlannedRun, client: HttpClient): Promise<ClientRecord> {
  const record: ClientRecord = { planned, acknowledged: [], calls: 0, broken: 0, refusals: [], again: null };
  await sleep(planned.atMs);
  const until = clock.monotonic() + CALL_PATIENCE_MS;
  while (clock.monotonic() < until) {
    const sent = await client.send(requestFor(planned));
    if (sent.is !== 'refused') record.calls += 1;
    if (sent.is === 'answered') {
      const runId = runIdOf(sent.answer);
      if (runId !== null) {
        record.acknowledged.push(runId);
        return record;
      }
      const refusal = refusalOf(sent.answer);
      if (refusal?.retryable !== true) {
        record.refusals.push(refusal?.code ?? `HTTP ${sent.answer.status}`);
        return record;
      }
    } else if (sent.is === 'broken') {
      record.broken += 1;
      if (planned.idempotencyKey === null) return record;
    }
    await sleep(RETRY_MS);
  }
  record.refusals.push('never answered');
  return record;
}

/** A key that was given back would begin another run, so it is left alone. */
async function callAgain(record: ClientRecord, found: PlayedKills['found'], client: HttpClient): Promise<void> {
  const id = record.acknowledged.at(-1);
  if (record.planned.idempotencyKey === null || id === undefined) return;
  if (found.get(id)?.run?.error?.retryable !== false && record.planned.shape.refused) return;
  const answer = await client.ask(requestFor({ ...record.planned, prefer: 'respond-async' }));
  record.again = { runId: runIdOf(answer), replayed: answer.headers['idempotent-replayed'] === 'true' };
}

function requestFor({ kind, shape, workflowId, marker, prefer, idempotencyKey }: PlannedRun): ClientRequest {
  return {
    method: 'POST',
    path: '/runs',
    headers: {
      ...(prefer === null ? {} : { prefer }),
      ...(idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey }),
    },
    body: { provider: shape.limited ? limitedProvider(kind) : kind, workflow: workflowId, inputs: { marker } },
  };
}

async function untilSettled(
  { client, sandbox }: { client: HttpClient; sandbox: SandboxProcess },
  { patient }: PlanOptions,
): Promise<void> {
  const until = clock.monotonic() + SETTLE_MS;
  const path = `/runs?status=queued,running,waiting,cancelling&limit=${PAGE}`;
  while (clock.monotonic() < until) {
    const { body } = await client.ask({ method: 'GET', path });
    const open = body.data as unknown as RenderedRun[];
    const waitsForNothing = async (run: RenderedRun) => !patient && (await isUnknown(run, sandbox));
    if ((await Promise.all(open.map(waitsForNothing))).every(Boolean)) return;
    await sleep(SETTLE_LOOK_MS);
  }
}

/** Whether the run is open only because B3OS, which never got it, is still asked for it. */
async function isUnknown({ provider, workflow, created_at: createdAt }: RenderedRun, sandbox: SandboxProcess) {
  if (provider !== 'b3os' || Date.now() - Date.parse(createdAt) < START_MS_MAX) return false;
  const starts = await sandbox.starts(workflow);
  return starts.every(({ began }) => !began);
}

async function readRuns(client: HttpClient): Promise<Map<string, RenderedRun>> {
  const runs = new Map<string, RenderedRun>();
  for (let cursor: string | null = ''; cursor !== null;) {
    const query = new URLSearchParams({
      limit: String(PAGE),
      include: 'inputs',
      ...(cursor === '' ? {} : { cursor }),
    });
    const { body } = await client.ask({ method: 'GET', path: `/runs?${query.toString()}` });
    const page = body as unknown as { data: RenderedRun[]; next_cursor: string | null };
    for (const run of page.data) runs.set(run.id, run);
    cursor = page.next_cursor;
  }
  return runs;
}

async function readAcknowledged(clients: readonly ClientRecord[], client: HttpClient): Promise<PlayedKills['found']> {
  const found: PlayedKills['found'] = new Map();
  for (const id of new Set(clients.flatMap(({ acknowledged }) => acknowledged))) {
    const { status, body } = await client.ask({ method: 'GET', path: `/runs/${id}` });
    found.set(id, { status, run: status === 200 ? (body as unknown as RenderedRun) : null });
  }
  return found;
}

import { DatabaseSync } from 'node:sqlite';
import { createIds, type Ids, type RunId } from '../../src/core/ids.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import type { EventType, Run, RunStatus } from '../../src/runs/model.ts';
import { placeEvents } from '../../src/store/sqlite/event-log.ts';
import { insertValues } from '../../src/store/sqlite/run-row.ts';

const DAY_MS = 86_400_000;
const SPAN_MS = 25 * DAY_MS;
const OUTPUT = JSON.stringify({ text: 'Once upon a time there was a gateway.', data: { mood: 'calm' }, citations: [] });
const INPUTS = JSON.stringify({ ticket: 'The printer on the second floor does not answer.' });

export interface Filled {
  /** Some ids, spread over all. */
  ids: RunId[];
  /** When half of the runs had been created. */
  middle: number;
}

/**
 * Fills a store with ended runs of the last 25 days, as if they had been made one after the other: every fifth of the
 * lineage `lineage`, every hundredth failed, every ten-thousandth tagged `rare`. Nobody else has the store open.
 */
export function fillStore(path: string, { runs, lineage }: { runs: number; lineage: string }): Filled {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -64000');
  const insertRun = db.prepare('INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const begin = Date.now() - SPAN_MS - DAY_MS;
  let now = begin;
  const ids = createIds({ clock: { ...realTime, now: () => now }, random: createSystemRandom() });
  const sampled: RunId[] = [];
  db.exec('BEGIN');
  for (let i = 0; i < runs; i++) {
    now = begin + Math.floor((SPAN_MS / runs) * i);
    const run = oneRun(i, now, { ids, lineage });
    insertRun.run(...insertValues(run, null, { log: logOf(run, now), inputs: INPUTS }), OUTPUT);
    if (i % Math.ceil(runs / 1_000) === 0) sampled.push(run.id);
  }
  db.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  return { ids: sampled, middle: begin + SPAN_MS / 2 };
}

function logOf({ status }: Run, at: number): string {
  const types = ['run.created', 'run.started', `run.${status}`] as EventType[];
  return placeEvents(
    types.map((type) => ({ type, at, data: {} })),
    1,
  ).near;
}

const realTime = { monotonic: () => performance.now(), after: () => () => undefined };

function oneRun(i: number, at: number, { ids, lineage }: { ids: Ids; lineage: string }): Run {
  const status: RunStatus = i % 100 === 7 ? 'failed' : 'succeeded';
  const own = i % 5 === 0;
  const kind = i % 3 === 0 ? 'b3os' : 'ai-tutor';
  const baseUrl = 'https://vendor.example';
  return {
    id: ids.run(),
    version: 2,
    seq: 3,
    status,
    keyId: own ? lineage : 'another',
    keyName: 'bench',
    lineage: own ? lineage : `another-${i % 7}`,
    subject: null,
    workflow: `workflow-${i % 50}`,
    provider: kind,
    kind,
    baseUrl,
    allowPrivateNetwork: false,
    credentialId: 'cred_01k9zq00000000000000000000',
    settings: {},
    upstreamWorkflow: `wf_${i % 50}`,
    defaults: {},
    options: {},
    fallbacks: [],
    metadata: { order: String(i), plan: 'free' },
    tags: i % 10_000 === 0 ? ['rare'] : ['nightly'],
    timeoutMs: 330_000,
    waitingTimeoutMs: 604_800_000,
    onDisconnect: 'continue',
    webhook: null,
    accepted: true,
    upstream: { runId: `vendor-${i}`, status: 'ok', requestId: null, stopped: null, pollError: null, rateLimit: null },
    error: null,
    waiting: null,
    partial: false,
    attempts: [
      {
        number: 1,
        step: 'start',
        provider: kind,
        kind,
        origin: baseUrl,
        credentialId: 'cred_01k9zq00000000000000000000',
        workflow: `wf_${i % 50}`,
        at,
        state: 'began',
        errorCode: null,
      },
    ],
    resolution: null,
    trace: null,
    createdAt: at,
    startedAt: at,
    finishedAt: at + 900,
    deadlineAt: at + 330_000,
    remainingMs: null,
    owner: null,
    dueAt: null,
    care: { step: 'none' },
  };
}

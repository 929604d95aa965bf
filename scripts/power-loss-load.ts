import { statSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../src/core/clock.ts';
import { createIds, type Owner } from '../src/core/ids.ts';
import { createSystemRandom } from '../src/core/random.ts';
import type { NewEvent, Run } from '../src/runs/model.ts';
import { openStore } from '../src/store/open-store.ts';
import { newRun, success } from '../test/contract/store/sample-run.ts';
import type { Acknowledged } from './power-loss.ts';

// The load of power-loss.ts: runs of every shape at once, one line for each acknowledged write, then `done`.

const RUNS = 300;
const CONCURRENCY = 16;
const path = process.argv[2] ?? '';
const ids = createIds({ clock: systemClock, random: createSystemRandom() });

const store = await openStore({
  url: `sqlite:${path}`,
  clock: systemClock,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  role: 'serve',
  writer: 'worker',
});

// Begins a read before the log holds anything, and never ends it: no checkpoint can write back past it,
// so the log keeps every frame from the first on.
const holder = new DatabaseSync(path);
holder.exec('PRAGMA wal_checkpoint(TRUNCATE)');
holder.exec('BEGIN');
holder.prepare('SELECT count(*) FROM runs').get();

const OWNER = 'own_first' as Owner;
const WEBHOOK = { url: 'https://app.example/hook', events: ['run.succeeded', 'run.failed'] } as const;

function acknowledge(run: Run, key: string | null, tries = 0): void {
  const line: Acknowledged = {
    id: run.id,
    version: run.version,
    seq: run.seq,
    key,
    tries,
    walBytes: statSync(`${path}-wal`).size,
  };
  writeSync(1, `${JSON.stringify(line)}\n`);
}

async function oneRun(i: number): Promise<void> {
  const now = systemClock.now();
  // Some payloads are large enough for a table of their own, and some for many pages.
  const inputs = { text: 'x'.repeat(i % 10 === 0 ? 30_000 : i % 500) };
  const fresh = newRun(ids.run(), now, { inputs, webhook: i % 4 === 1 ? WEBHOOK : null, owner: OWNER });
  const key = i % 3 === 0 ? `key-${i}` : null;
  const idempotency = key === null ? null : { lineage: fresh.lineage, subject: '', key, fingerprint: 'f' };
  const created = await store.runs.create(fresh, { idempotency, quota: null });
  if (created.kind !== 'created') throw new Error('the run was not created');
  acknowledge(created.run, key);
  let run = created.run;
  for (let step = 0; step < i % 4; step++) {
    const events = Array.from({ length: step }, () => ({ type: 'run.progress' as const, at: now, data: { step } }));
    run = moved(
      await store.runs.move({ run }, { status: 'running', patch: {}, events, owner: run.owner, dueInMs: null }),
    );
    acknowledge(run, key);
  }
  for (let step = 0; step < i % 6; step++) {
    run = await lengthened(run, outputOf(i, step));
    acknowledge(run, key);
  }
  if (i % 7 === 0) return;
  const status = i % 5 === 0 ? 'failed' : 'succeeded';
  const id = `dlv_${run.id.slice('run_'.length)}_${run.seq + 1}`;
  const deliveries = run.webhook ? [{ id, event: `run.${status}` as const, snapshot: null, createdAt: now }] : [];
  const change = { ...success(run, now), status, deliveries } as const;
  run = moved(
    await store.runs.move(
      { run },
      i % 5 === 0
        ? { ...change, giveBackKey: 'start' }
        : { ...change, output: { text: 'y'.repeat(i % 11 === 0 ? 20_000 : 50), data: null, citations: [] } },
    ),
  );
  acknowledge(run, key);
  if (deliveries.length > 0) await deliver(i);
}

/** Vendors write a little at a time, and now and then a lot. */
function outputOf(i: number, step: number): NewEvent[] {
  const text = 'z'.repeat((i + step) % 13 === 0 ? 25_000 : step * 20);
  return Array.from({ length: 1 + (step % 3) }, () => ({ type: 'run.output.delta', at: 1, data: { text } }));
}

async function lengthened(run: Run, events: NewEvent[]): Promise<Run> {
  const seq = await store.runs.append(run.id, OWNER, events);
  if (seq === 'stale') throw new Error('nobody else cares for this run');
  return { ...run, seq };
}

/** Tries whatever is due, perhaps another run's message: once or twice, or leaves it to be found after the cut. */
async function deliver(i: number): Promise<void> {
  for (const { id, runId, tries } of await store.runs.claimDeliveries(OWNER, 2)) {
    if (i % 3 === 0) continue;
    const again = tries === 0 && i % 2 === 0;
    const result = await store.runs.settleDelivery(id, OWNER, {
      status: again ? 'pending' : 'delivered',
      at: systemClock.now(),
      responseStatus: again ? 500 : 204,
      error: null,
      nextInMs: again ? 0 : null,
    });
    if (result === 'stale') throw new Error('nobody else tries this message');
    const run = await store.runs.peek(runId);
    if (run !== null) acknowledge(run, null, tries + 1);
  }
}

function moved(result: Run | 'stale'): Run {
  if (result === 'stale') throw new Error('nobody else moves this run');
  return result;
}

let next = 0;
await Promise.all(
  Array.from({ length: CONCURRENCY }, async () => {
    while (next < RUNS) await oneRun(next++);
  }),
);
writeSync(1, 'done\n');
setInterval(() => {}, 60_000);

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/core/clock.ts';
import { createIds, type Owner } from '../src/core/ids.ts';
import type { Log } from '../src/core/log.ts';
import { createSystemRandom } from '../src/core/random.ts';
import type { NewEvent, Run } from '../src/runs/model.ts';
import { openStore, type Store } from '../src/store/open-store.ts';
import { newRun, success } from '../test/contract/store/sample-run.ts';

// CPU time of a stored run: `create` with two events, then `move` to its end with one; both on disk.
// node bench/store-writes.ts [worker|inline] [runs a round] [with-keys|with-webhooks|with-output|with-limits]
// `with-output` appends 20 deltas to each run, one at a time. `with-limits` counts each run on its day, and its start.

const CONCURRENCY = 64;
const ROUNDS = 5;
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const ids = createIds({ clock: systemClock, random: createSystemRandom() });

const writer = process.argv[2] === 'inline' ? 'inline' : 'worker';
const runsPerRound = Number(process.argv[3] ?? 20_000);
const withKeys = process.argv[4] === 'with-keys';
const withWebhooks = process.argv[4] === 'with-webhooks';
const withLimits = process.argv[4] === 'with-limits';
const deltas = process.argv[4] === 'with-output' ? 20 : 0;
const DELTA: NewEvent = { type: 'run.output.delta', at: 1_764_000_000_000, data: { text: 'Once upon a time ' } };

async function storeOneRun(store: Store): Promise<void> {
  const at = Date.now();
  const webhook = withWebhooks ? ({ url: 'https://app.example/hook', events: ['run.succeeded'] } as const) : null;
  const countedStart = withLimits ? { provider: 'ai-tutor', credentialId: 'cred_3b1c', at } : null;
  const quota = withLimits ? { day: '2027-03-01', runsMax: 1e9 } : null;
  const run = newRun(ids.run(), at, { webhook, countedStart });
  const idempotency = withKeys ? { lineage: run.lineage, subject: '', key: run.id, fingerprint: 'f'.repeat(43) } : null;
  const created = await store.runs.create(run, { idempotency, quota });
  if (created.kind !== 'created' || run.owner === null) throw new Error('the run was not created');
  const last = await appendOutput(store, created.run, run.owner);
  const deliveries = withWebhooks
    ? [{ id: `dlv_${run.id}_3`, event: 'run.succeeded' as const, snapshot: null, createdAt: at }]
    : [];
  const change = { ...success(last, at), deliveries };
  const moved = await store.runs.move({ run: last, owner: run.owner }, change);
  if (moved === 'stale') throw new Error('the run was not moved');
}

async function appendOutput(store: Store, run: Run, owner: Owner): Promise<Run> {
  let { seq } = run;
  for (let i = 0; i < deltas; i++) {
    const last = await store.runs.append(run.id, owner, [DELTA]);
    if (last === 'stale') throw new Error('the run goes on');
    seq = last;
  }
  return { ...run, seq };
}

async function round(store: Store): Promise<{ cpuUs: number; wallUs: number }> {
  let left = runsPerRound;
  const cpu = process.cpuUsage();
  const start = performance.now();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left-- > 0) await storeOneRun(store);
    }),
  );
  const used = process.cpuUsage(cpu);
  return {
    cpuUs: (used.user + used.system) / runsPerRound,
    wallUs: ((performance.now() - start) * 1000) / runsPerRound,
  };
}

const directory = mkdtempSync(join(tmpdir(), 'rungate-bench-'));
const store = await openStore({
  url: `sqlite:${join(directory, 'bench.db')}`,
  clock: systemClock,
  log: silent,
  role: 'serve',
  writer,
});
try {
  await round(store);
  for (let i = 1; i <= ROUNDS; i++) {
    const { cpuUs, wallUs } = await round(store);
    console.log(`round ${i}: ${cpuUs.toFixed(1)} µs CPU, ${wallUs.toFixed(1)} µs elapsed a run (${writer})`);
  }
} finally {
  await store.close();
  rmSync(directory, { recursive: true });
}

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../src/core/clock.ts';
import type { RunId } from '../src/core/ids.ts';
import { reviveJson } from '../src/core/json.ts';
import type { Log } from '../src/core/log.ts';
import { hasEnded } from '../src/runs/model.ts';
import { openStore } from '../src/store/open-store.ts';
import { mergeEvents } from '../src/store/sqlite/event-log.ts';
import type { Value } from '../src/store/sqlite/operations.ts';

// Power loss, replayed. A process of its own writes a load through the real store and notes how long the
// write-ahead log was when each write was acknowledged; then it is killed. A power cut leaves some beginning
// of that log. So for every frame boundary, and some cuts within a frame, the database is opened with the log
// cut there, and must hold every write acknowledged by then, whole, and no half of any other.
//
// node scripts/power-loss.ts

const LOAD = fileURLToPath(new URL('./power-loss-load.ts', import.meta.url));
const WAL_HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4096;
const TORN_CUTS = 200;
const FAILURES_SHOWN = 10;

/** What the load process prints for each write: what was acknowledged, and the size of the log by then. */
export interface Acknowledged {
  id: RunId;
  version: number;
  seq: number;
  key: string | null;
  /** How often its message was tried. */
  tries: number;
  walBytes: number;
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

async function record(path: string): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [LOAD, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let rest = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    const parts = (rest + String(chunk)).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    // Killed, never closed: closing would write the log back into the database.
    if (lines.at(-1) === 'done') child.kill('SIGKILL');
  }
  if (lines.at(-1) !== 'done') throw new Error('the load did not finish');
  return lines.slice(0, -1).map((line) => reviveJson<Acknowledged>(line));
}

interface Cut {
  name: string;
  wal: Uint8Array;
}

function* cutsOf(wal: Uint8Array): Iterable<Cut> {
  const frames = (wal.length - WAL_HEADER_BYTES) / FRAME_BYTES;
  yield { name: 'no log', wal: new Uint8Array() };
  for (let frame = 0; frame <= frames; frame++) {
    yield { name: `frame ${frame}`, wal: wal.subarray(0, WAL_HEADER_BYTES + frame * FRAME_BYTES) };
  }
  for (let i = 0; i < TORN_CUTS; i++) {
    const at = WAL_HEADER_BYTES + Math.floor(((i + 0.5) / TORN_CUTS) * (wal.length - WAL_HEADER_BYTES)) + i;
    yield { name: `byte ${at}`, wal: wal.subarray(0, at) };
    // A sector that was allocated and never written: the length is there, the bytes are not.
    const torn = wal.slice(0, at + FRAME_BYTES);
    torn.fill(0, at);
    yield { name: `zeros from byte ${at}`, wal: torn };
  }
}

/** Bytes of the cut log that are as they were written. */
function intactBytes(cut: Cut): number {
  const zeros = /^zeros from byte (\d+)$/.exec(cut.name)?.[1];
  return zeros === undefined ? cut.wal.length : Number(zeros);
}

/** Puts the database into a directory, with the log cut. Returns its path. */
function place(base: string, directory: string, wal: Uint8Array): string {
  const path = join(directory, 'cut.db');
  for (const suffix of ['', '-wal', '-shm', '.lock']) rmSync(path + suffix, { force: true });
  copyFileSync(base, path);
  writeFileSync(`${path}-wal`, wal);
  return path;
}

/** Opens the database with the log cut, and lists what is wrong with it. */
async function check(base: string, directory: string, cut: Cut, acknowledged: Acknowledged[]): Promise<string[]> {
  const path = place(base, directory, cut.wal);
  const store = await openStore({
    url: `sqlite:${path}`,
    clock: systemClock,
    log: silent,
    role: 'serve',
    writer: 'inline',
  });
  const faults: string[] = [];
  try {
    const latest = new Map<string, Acknowledged>();
    for (const one of acknowledged) {
      if (one.walBytes > intactBytes(cut)) continue;
      latest.set(one.id, { ...one, tries: Math.max(one.tries, latest.get(one.id)?.tries ?? 0) });
    }
    for (const want of latest.values()) {
      const run = await store.runs.peek(want.id);
      if (run === null || run.version < want.version || run.seq < want.seq) faults.push(`lost: ${want.id}`);
      if (want.tries === 0) continue;
      const [delivery] = await store.runs.deliveries(want.id);
      if ((delivery?.tries ?? 0) < want.tries) faults.push(`lost try: ${want.id}`);
    }
    await store.check();
  } finally {
    await store.close();
  }
  return [...faults, ...halvesIn(path)];
}

/** Everything that would be half of a write. */
function halvesIn(path: string): string[] {
  const db = new DatabaseSync(path);
  const faults: string[] = [];
  const find = (what: string, sql: string) => {
    for (const row of db.prepare(sql).all()) faults.push(`${what}: ${JSON.stringify(row)}`);
  };
  try {
    const integrity = db.prepare('PRAGMA integrity_check').all();
    if (JSON.stringify(integrity) !== '[{"integrity_check":"ok"}]')
      faults.push(`integrity: ${JSON.stringify(integrity)}`);
    for (const { id, seq, log } of db.prepare('SELECT id, seq, log FROM runs').all()) {
      const far = db.prepare('SELECT seq, type, at, data FROM events WHERE run_id = ? ORDER BY seq').all(id ?? null);
      const rows = far.map((row) => Object.values(row) as Value[]);
      const seqs = mergeEvents(String(log), rows, { after: 0, limit: Infinity }).map((event) => event.seq);
      if (seqs.length !== seq || seqs.some((one, i) => one !== i + 1)) {
        faults.push(`gap in seq, or a run without its events: ${String(id)}`);
      }
    }
    find('events without a run', 'SELECT run_id FROM events WHERE run_id NOT IN (SELECT id FROM runs)');
    find('message without a run', 'SELECT id FROM deliveries WHERE run_id NOT IN (SELECT id FROM runs)');
    find(
      'ended without its message',
      `SELECT id FROM runs r WHERE finished_at IS NOT NULL AND json_extract(pinned, '$.webhook') IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.run_id = r.id AND d.event = 'run.' || r.status)`,
    );
    find(
      'message before its end',
      `SELECT d.id FROM deliveries d JOIN runs r ON r.id = d.run_id
       WHERE r.finished_at IS NULL AND d.event IN ('run.succeeded', 'run.failed')`,
    );
    find(
      'message half settled',
      `SELECT id FROM deliveries WHERE (status = 'pending') = (owner IS NULL AND due_at IS NULL)
       OR (owner IS NOT NULL AND due_at IS NOT NULL) OR (tries > 0) = (last_at IS NULL)`,
    );
    find('key without a run', 'SELECT run_id FROM idempotency WHERE run_id NOT IN (SELECT id FROM runs)');
    find(
      'run without its key',
      `SELECT id FROM runs r WHERE idempotency_key IS NOT NULL AND status <> 'failed'
       AND NOT EXISTS (SELECT 1 FROM idempotency i WHERE i.run_id = r.id)`,
    );
    find(
      'payload missing',
      `SELECT id FROM runs r WHERE (inputs = '' AND NOT EXISTS (SELECT 1 FROM payloads p WHERE p.run_id = r.id AND part = 'inputs'))
       OR (output = '' AND NOT EXISTS (SELECT 1 FROM payloads p WHERE p.run_id = r.id AND part = 'output'))`,
    );
    for (const row of db.prepare('SELECT id, status, finished_at FROM runs').all()) {
      const ended = hasEnded({ status: row['status'] as 'queued' });
      if (ended !== (row['finished_at'] !== null)) faults.push(`half ended: ${String(row['id'])}`);
    }
  } finally {
    db.close();
  }
  return faults;
}

/** Each leaves half of a write. */
const HARMS = [
  `DELETE FROM events WHERE run_id = (SELECT max(run_id) FROM events)`,
  `UPDATE runs SET seq = seq + 1 WHERE id = (SELECT max(run_id) FROM events)`,
  `DELETE FROM deliveries WHERE id = (SELECT max(id) FROM deliveries)`,
  `DELETE FROM runs WHERE id = (SELECT max(run_id) FROM deliveries)`,
  `UPDATE deliveries SET tries = tries + 1 WHERE last_at IS NULL`,
  `UPDATE deliveries SET owner = NULL, due_at = NULL WHERE status = 'pending'`,
  `DELETE FROM payloads WHERE run_id = (SELECT max(run_id) FROM payloads)`,
];

/** The check must be able to fail: half of the log cannot hold all that was acknowledged, and no harm is missed. */
async function assertBites(
  base: string,
  directory: string,
  wal: Uint8Array,
  acknowledged: Acknowledged[],
): Promise<void> {
  const cut: Cut = { name: 'half of the log', wal: wal.subarray(0, wal.length / 2) };
  const faults = await check(
    base,
    directory,
    cut,
    acknowledged.map((one) => ({ ...one, walBytes: 0 })),
  );
  if (faults.length === 0) throw new Error('the check finds nothing missing in half of the log');
  for (const harm of HARMS) {
    const path = place(base, directory, wal);
    const db = new DatabaseSync(path);
    const { changes } = db.prepare(harm).run();
    db.close();
    if (changes === 0 || halvesIn(path).length === 0) throw new Error(`the check does not see: ${harm}`);
  }
}

// The load's own writes go to a real disk; the thousands of reopened copies need none.
const directory = mkdtempSync(join(tmpdir(), 'rungate-power-loss-'));
const copies = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : directory, 'rungate-power-loss-'));
try {
  const base = join(directory, 'recorded.db');
  const acknowledged = await record(base);
  // A copy of its own: a Buffer's slices share their bytes.
  const wal = new Uint8Array(readFileSync(`${base}-wal`));
  const frames = (wal.length - WAL_HEADER_BYTES) / FRAME_BYTES;
  console.log(`recorded ${acknowledged.length} acknowledged writes in ${frames} frames`);
  await assertBites(base, copies, wal, acknowledged);
  let passed = 0;
  let failed = 0;
  for (const cut of cutsOf(wal)) {
    const faults = await check(base, copies, cut, acknowledged);
    if (faults.length === 0) passed++;
    else {
      failed++;
      if (failed <= FAILURES_SHOWN) console.error(`log cut at ${cut.name}:\n  ${faults.slice(0, 5).join('\n  ')}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > frames ? 0 : 1;
} finally {
  for (const one of [copies, directory]) rmSync(one, { recursive: true, force: true });
}

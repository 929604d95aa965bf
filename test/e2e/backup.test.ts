import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appParts } from '../../src/cli/app-parts.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { systemClock } from '../../src/core/clock.ts';
import { reviveJson } from '../../src/core/json.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { QUICK_KINDS } from '../contract/vendors/contract-table.ts';
import { prepareTestGateway, type Client, type TestGateway } from '../support/gateway.ts';
import { PROGRAM } from '../support/program.ts';

const PLACES = 2;
const POLLED = 'draft-and-goal';
const BLOCKING = 'ai-tutor';

interface Made {
  runs: number;
  master_keys: string[];
}

interface Restored extends Made {
  replaced: string | null;
  unsure_starts: number;
}

let gateway: TestGateway;
let child: ChildProcess | undefined;

beforeEach(async () => {
  const environment = { RUNGATE_STARTS_MAX: String(PLACES) };
  gateway = await prepareTestGateway({ kinds: QUICK_KINDS, environment });
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await gateway.stop();
  if (gateway.complaints.length > 0) throw new Error(`the log complains: ${gateway.complaints.join('; ')}`);
});

/** `rungate serve` in a process of its own, which can be killed. */
async function serve(): Promise<Client> {
  child = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: { ...gateway.environment, RUNGATE_LOG_LEVEL: 'silent' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /runs API +(\S+)/.exec(line)?.[1];
    if (url !== undefined) return gateway.at(url);
  }
  throw new Error('the process ended before it listened');
}

async function kill(): Promise<void> {
  const exited = once(child!, 'exit');
  child!.kill('SIGKILL');
  await exited;
}

async function rungate<T>(...argv: string[]): Promise<T> {
  const written = { stdout: '', stderr: '' };
  const exitCode = await runCli([...argv, '--json'], {
    environment: gateway.environment,
    stdin: (async function* () {})(),
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    clock: systemClock,
    random: createSystemRandom(),
    parts: appParts,
  });
  if (exitCode !== 0) throw new Error(written.stderr);
  return reviveJson<T>(written.stdout);
}

const inData = (name: string) => join(gateway.dataDir, name);

function destroyDatabase(): void {
  for (const name of readdirSync(gateway.dataDir)) if (name.startsWith('rungate.db')) rmSync(inData(name));
}

describe('a backup that is made while the gateway serves', () => {
  it('brings every run back that was acknowledged, and begins none twice', async () => {
    const { sandbox } = gateway;
    const workflows = new Map<string, { kind: string; workflow: string }>();
    const client = await serve();
    const begin = async (kind: string, workflow: string) => {
      const id = await client.begin({ provider: kind, workflow: gateway.workflowId(kind, workflow) });
      workflows.set(id, { kind, workflow });
      return id;
    };
    const began = (workflow: string) =>
      expect.poll(() => sandbox.starts({ workflow }), { timeout: 15_000 }).toHaveLength(1);

    const finished = await begin(BLOCKING, 'finished');
    await client.end(finished);
    const polled = await begin(POLLED, 'runs-4000.polled');
    await began('runs-4000.polled');
    await client.until(polled, ({ upstream }) => upstream.run_id !== null);
    const blocking = await Promise.all(Array.from({ length: PLACES }, (_, i) => begin(BLOCKING, `slow-2000.b${i}`)));
    for (let i = 0; i < PLACES; i++) await began(`slow-2000.b${i}`);
    const queued = await Promise.all(['b3os', POLLED, BLOCKING].map((kind) => begin(kind, `queued-${kind}`)));

    // Runs come in all the time, so the copy is made of a database that moves.
    const load = new AbortController();
    const loading = (async () => {
      for (let i = 0; !load.signal.aborted; i++) await begin(POLLED, `load-${i}`);
    })();
    const acknowledged = new Map(workflows);
    const backup = join(gateway.dataDir, 'backup.db');
    const made = await rungate<Made>('backup', backup);
    load.abort();
    await loading;
    expect(made.runs).toBeGreaterThanOrEqual(acknowledged.size);
    expect(statSync(backup).mode & 0o777).toBe(0o600);

    // What waited is begun after the backup, which knows nothing of it.
    for (const kind of ['b3os', POLLED, BLOCKING]) await began(`queued-${kind}`);
    await kill();
    destroyDatabase();
    const restored = await rungate<Restored>('restore', backup);
    expect(restored).toMatchObject({ replaced: null, runs: made.runs, master_keys: made.master_keys });
    expect(restored.unsure_starts).toBeGreaterThanOrEqual(queued.length);

    await gateway.startUp();
    const ends = new Map<string, { status: string; error: { code: string } | null }>();
    await Promise.all([...acknowledged.keys()].map(async (id) => ends.set(id, await gateway.end(id))));
    expect(ends.get(finished)).toMatchObject({ status: 'succeeded', output: { data: expect.anything() } });
    expect(ends.get(polled)).toMatchObject({ status: 'succeeded' });
    for (const id of blocking) expect(ends.get(id)).toMatchObject({ error: { code: 'outcome_unknown' } });
    // Where the vendor can be asked by our own id, what was begun after the backup is found again.
    expect(queued.map((id) => ends.get(id)?.error?.code ?? 'none')).toEqual([
      'none',
      'outcome_unknown',
      'outcome_unknown',
    ]);
    for (const { kind, workflow } of workflows.values()) {
      expect(sandbox.starts({ kind, workflow }).length).toBeLessThanOrEqual(1);
    }
  });
});

describe('a restore', () => {
  it('is refused while a server runs, and keeps the database that it replaces', async () => {
    await gateway.startUp();
    const before = await gateway.begin({ provider: BLOCKING, workflow: 'one' });
    await gateway.end(before);
    const backup = inData('backup.db');
    await rungate('backup', backup);
    const after = await gateway.begin({ provider: BLOCKING, workflow: 'two' });
    await gateway.end(after);
    await expect(rungate('restore', backup)).rejects.toThrow('Stop it first');
    await gateway.shutDown();
    const { replaced } = await rungate<Restored>('restore', backup);
    expect(replaced).toMatch(/rungate\.db\.replaced-\d{4}-/);
    await gateway.startUp();
    expect((await gateway.get(`/runs/${before}`)).status).toBe(200);
    expect((await gateway.get(`/runs/${after}`)).status).toBe(404);
    await gateway.shutDown();
    // The way back is the same way.
    await rungate('restore', replaced ?? '');
    await gateway.startUp();
    expect((await gateway.get(`/runs/${after}`)).body).toMatchObject({ status: 'succeeded' });
  });
});

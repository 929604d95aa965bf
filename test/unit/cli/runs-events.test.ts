import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { errorBody } from '../../../src/core/errors.ts';
import { createIds, type RunId } from '../../../src/core/ids.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { NewRun } from '../../../src/runs/ports.ts';
import { openStore, type Store } from '../../../src/store/open-store.ts';
import { silentLog as log } from '../../contract/store/open-test-store.ts';
import { newRun, success } from '../../contract/store/sample-run.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';

const ids = createIds({ clock: systemClock, random: createSystemRandom() });

interface ShownEvent {
  run_id: string;
  seq: number;
  type: string;
  at: string;
  data: { run?: { status: string; resolution: unknown; output: unknown } };
}

let line: CommandLine;
let store: Store;
beforeEach(async () => {
  line = await createCommandLine();
  const url = `sqlite:${join(line.dataDir, 'rungate.db')}`;
  store = await openStore({ url, role: 'command', clock: systemClock, log });
});
afterEach(async () => {
  await store.close();
  await line.remove();
});

async function write(given: Partial<NewRun> = {}): Promise<Run> {
  const result = await store.runs.create(newRun(ids.run(), Date.now(), given), { idempotency: null, quota: null });
  if (result.kind !== 'created') throw new Error('the run must be created');
  return result.run;
}

async function progress(run: Run, count: number, data: object = { name: 'step', data: null }): Promise<Run> {
  const at = Date.now();
  const events = Array.from({ length: count }, () => ({ type: 'run.progress' as const, at, data: { ...data } }));
  const moved = await store.runs.move({ run }, { status: 'running', patch: {}, events, owner: null, dueInMs: null });
  if (moved === 'stale') throw new Error('the run must move');
  return moved;
}

async function unknownOutcome(): Promise<RunId> {
  const run = await write();
  const error = errorBody('outcome_unknown', { runId: run.id });
  const { output: _output, ...change } = success(run, Date.now());
  await store.runs.move({ run }, { ...change, status: 'failed', patch: { ...change.patch, error } });
  return run.id;
}

describe('runs events', () => {
  it('tells everything, however much it is, and the end with the run', async () => {
    const run = await progress(await write(), 1_200);
    await store.runs.move({ run }, success(run, Date.now()));
    const { data } = await line.document<{ data: ShownEvent[] }>(['runs', 'events', run.id]);
    expect(data.map(({ seq }) => seq)).toEqual(Array.from({ length: 1_203 }, (_, i) => i + 1));
    expect(data[0]).toMatchObject({ run_id: run.id, type: 'run.created', data: {} });
    expect(data.at(-1)).toMatchObject({ type: 'run.succeeded', data: { run: { status: 'succeeded' } } });
    expect(data.at(-1)?.data.run).toMatchObject({ output: { data: { mood: 'calm' } }, inputs: {} });
    const { stdout } = await line.run(['runs', 'events', run.id, '--after', '1201']);
    expect(stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(stdout).toContain('The printer is offline');
  });

  it('follows a run until its end, and misses and repeats nothing', async () => {
    let run = await write();
    const following = line.run(['runs', 'events', run.id, '--follow', '--json']);
    for (let i = 0; i < 5; i++) {
      run = await progress(run, i);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    await store.runs.move({ run }, success(run, Date.now()));
    const { exitCode, stdout } = await following;
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((text) => reviveJson<ShownEvent>(text));
    expect(exitCode).toBe(0);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 13 }, (_, i) => i + 1));
    expect(events.at(-1)).toMatchObject({ type: 'run.succeeded', data: { run: { output: { citations: [] } } } });
  });

  it('follows for people in lines that no event can break', async () => {
    const run = await progress(await write(), 1, { name: 'a\nb\u001b[2J', data: 'x'.repeat(1_000) });
    await store.runs.move({ run }, success(run, Date.now()));
    const { stdout } = await line.run(['runs', 'events', run.id, '-f']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(stdout).not.toContain('\u001b');
    expect(lines[2]?.length).toBeLessThan(300);
  });

  it('goes on behind a number', async () => {
    const run = await progress(await write(), 3);
    await store.runs.move({ run }, success(run, Date.now()));
    const { stdout } = await line.run(['runs', 'events', run.id, '--follow', '--json', '--after', '5']);
    expect(reviveJson(stdout)).toMatchObject({ seq: 6, type: 'run.succeeded' });
  });

  it('fails where there is no such run, and for a number that is none', async () => {
    const absent = 'run_00000000000000000000000000';
    expect((await line.run(['runs', 'events', absent])).exitCode).toBe(1);
    expect((await line.run(['runs', 'events', absent, '--follow'])).exitCode).toBe(1);
    expect((await line.run(['runs', 'events', absent, '--after', '-1'])).exitCode).toBe(2);
    expect((await line.run(['runs', 'events', absent, '--after', 'x'])).exitCode).toBe(2);
  });
});

describe('runs resolve', () => {
  const note = 'seen in the vendor’s log';

  it('records what was found out; status, error and events stay', async () => {
    const id = await unknownOutcome();
    const events = await store.runs.eventsAfter(id, 0, 10);
    const resolved = await line.document(['runs', 'resolve', id, '--as', 'succeeded', '--note', note]);
    const resolution = { as: 'succeeded', note, at: expect.stringMatching(/Z$/), by: 'command line' };
    expect(resolved).toMatchObject({ id, status: 'failed', error: { code: 'outcome_unknown' }, resolution });
    expect(await line.document(['runs', 'get', id])).toMatchObject({ resolution });
    expect((await line.run(['runs', 'get', id])).stdout).toContain(note);
    expect(await store.runs.eventsAfter(id, 0, 10)).toEqual(events);
    const { data } = await line.document<{ data: ShownEvent[] }>(['runs', 'events', id]);
    expect(data.at(-1)?.data.run?.resolution).toBeNull();
  });

  it('can be corrected, by those who say that they want to', async () => {
    const id = await unknownOutcome();
    await line.document(['runs', 'resolve', id, '--as', 'succeeded', '--note', note]);
    const correction = ['runs', 'resolve', id, '--as', 'failed', '--note', 'it was another run'];
    const refused = await line.run(correction);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain('is resolved already');
    expect(refused.stderr).toContain('add `--force`, or `"force": true`');
    expect(await line.document(['runs', 'get', id])).toMatchObject({ resolution: { as: 'succeeded', note } });
    const again = await line.document([...correction, '--force']);
    expect(again).toMatchObject({ resolution: { as: 'failed', note: 'it was another run' } });
  });

  it('refuses any other run', async () => {
    const run = await write();
    const argv = ['--as', 'failed', '--note', note, '--json'];
    const going = await line.run(['runs', 'resolve', run.id, ...argv]);
    expect(going.exitCode).toBe(1);
    expect(reviveJson(going.stdout)).toMatchObject({ error: { code: 'unsupported_operation' } });
    await store.runs.move({ run }, success(run, Date.now()));
    expect((await line.run(['runs', 'resolve', run.id, ...argv])).exitCode).toBe(1);
    expect((await line.run(['runs', 'resolve', 'run_00000000000000000000000000', ...argv])).exitCode).toBe(1);
  });

  it.each([
    [['--note', 'n']],
    [['--as', 'failed']],
    [['--as', 'unknown', '--note', 'n']],
    [['--as', 'failed', '--note', '']],
    [['--as', 'failed', '--note', 'two\nlines']],
    [['--as', 'failed', '--note', 'x'.repeat(1_001)]],
  ])('refuses %j as wrong usage', async (argv) => {
    const id = await unknownOutcome();
    expect((await line.run(['runs', 'resolve', id, ...argv])).exitCode).toBe(2);
  });
});

describe('runs list with filters', () => {
  const found = async (...argv: string[]) =>
    (await line.document<{ data: { id: string }[] }>(['runs', 'list', ...argv])).data.map(({ id }) => id);

  it('finds by tag, subject, metadata and time', async () => {
    const one = await write({ tags: ['nightly'], metadata: { order: 'a=b', plan: 'x' }, subject: 'user-1' });
    const two = await write({ tags: [], metadata: { order: '2' } });
    expect(await found('--tag', 'nightly')).toEqual([one.id]);
    expect(await found('--subject', 'user-1')).toEqual([one.id]);
    expect(await found('--metadata', 'order=a=b', '--metadata', 'plan=x')).toEqual([one.id]);
    expect(await found('--created-after', '2026-01-01T00:00:00Z')).toEqual([two.id, one.id]);
    expect(await found('--created-before', '2026-01-01T00:00:00.5+02:00')).toEqual([]);
  });

  it.each([
    [['--metadata', 'x']],
    [['--metadata', '=x']],
    [['--created-after', 'today']],
    [['--created-before', '']],
    [['--created-after', '2026-02-30T00:00:00Z']],
  ])('refuses %j as wrong usage', async (argv) => {
    expect((await line.run(['runs', 'list', ...argv])).exitCode).toBe(2);
  });
});

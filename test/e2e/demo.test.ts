import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reviveJson } from '../../src/core/json.ts';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCurl, openShell, pathWithCurlStandIn, shellCommands, type Running } from '../support/shell/shell.ts';

const WELL = { exitCode: 0, stderr: '' };
const UP = /^It stays up/;
const curl = await hasCurl();
if (!curl) console.warn('no curl on this machine: the demo’s curl lines are executed with a stand-in');

/** The commands that the demo prints: its indented lines that begin with `command`, continuations included. */
function printed(lines: readonly string[], command: string): string[] {
  const indented = lines.map((line) => (line.startsWith('  ') ? line.slice(2) : '')).join('\n');
  return shellCommands(indented).filter((line) => line.startsWith(command));
}

describe('npm run demo', () => {
  let demo: Running;
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rungate-demo-test-'));
    demo = await openShell({ RUNGATE_PORT: '0', RUNGATE_ADMIN_PORT: '0' }).start('npm run demo', UP);
  });
  afterAll(async () => {
    await demo.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('shows a run at each vendor, a mapped error and a replay', () => {
    const text = demo.lines.join('\n');
    expect(text.match(/^ {2}HTTP \d+/gm)).toEqual(
      ['200', '200', '200', '200', '200', '200', '429', '200', '200'].map((s) => `  HTTP ${s}`),
    );
    expect(text).toContain('"code":"upstream_rate_limited"');
    expect(text).toContain('HTTP 200, Idempotent-Replayed: true');
    const ids = Array.from(text.matchAll(/"id":"(run_\w+)"/g), ([, id]) => id);
    expect(ids[4]).toBe(ids[3]);
    const [first, replayed] = ids.slice(6);
    expect(replayed).toBe(first);
  });

  it('prints lines that work as they stand, while it stays up', async () => {
    const exports = printed(demo.lines, 'export ');
    const lines = printed(demo.lines, 'curl ');
    expect(exports).toHaveLength(2);
    expect(lines).toHaveLength(10);
    const shell = openShell(curl ? {} : { PATH: await pathWithCurlStandIn(directory) });
    const bodies = [];
    for (const line of lines) {
      const ran = await shell.run([...exports, line].join('\n'));
      expect(ran).toMatchObject(WELL);
      // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every shape
      bodies.push(reviveJson<any>(ran.stdout));
    }
    expect(bodies.map(({ id, status, error }) => (id ? status : (error?.code ?? 'page')))).toEqual([
      'succeeded',
      'succeeded',
      'succeeded',
      'waiting',
      // Sent again by another caller: the run has moved on.
      'run_not_waiting',
      'failed',
      'upstream_rate_limited',
      'succeeded',
      'succeeded',
      'page',
    ]);
    const [ordered, again] = bodies.slice(7);
    expect(again.id).toBe(ordered.id);
    expect(demo.lines.join('\n')).toContain(ordered.id);
    expect(bodies.at(-1).data).toHaveLength(2);
  });
});

describe('npm run demo -- --once', () => {
  it('does the same and ends well, whatever configuration lies here', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rungate-demo-once-'));
    try {
      const file = join(directory, 'rungate.yaml');
      await writeFile(file, 'providers: { nobody: {} }\n');
      const ran = await openShell({ RUNGATE_CONFIG: file }).run('npm run -s demo -- --once');
      expect(ran).toMatchObject(WELL);
      expect(printed(ran.stdout.split('\n'), 'curl ')).toHaveLength(10);
      expect(ran.stdout).not.toMatch(UP);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCommandLine, type CommandLine } from '../support/command-line.ts';
import { linesUntil, startChild, type Child } from '../support/processes/child.ts';
import { PROGRAM } from '../support/program.ts';

/** To be read for many seconds. */
const SCHEMAS = 3_000;
const STOP_MS_MAX = 4_000;

/** Each of these schemas is another one, and takes some milliseconds to compile. */
function slowConfiguration(): string {
  const workflows = Array.from({ length: SCHEMAS }, (_, i) => {
    const properties = Object.fromEntries(Array.from({ length: 6 }, (__, k) => [`p${k}`, { minLength: i + k }]));
    return `  w${i}: { provider: ai-tutor, workflow: wf_1, inputs: ${JSON.stringify({ type: 'object', properties })} }`;
  });
  return `workflows:\n${workflows.join('\n')}\n`;
}

describe('a server that is told to stop while it starts', () => {
  let commandLine: CommandLine;
  beforeEach(async () => void (commandLine = await createCommandLine()));
  afterEach(() => commandLine.remove());

  function startServer(...options: string[]): Child {
    return startChild([PROGRAM, 'serve', ...options], {
      RUNGATE_DATA_DIR: commandLine.dataDir,
      RUNGATE_PORT: '0',
      RUNGATE_ADMIN_PORT: '0',
    });
  }

  it('does so soon and in order, and heeds no request for a reload before', async () => {
    const file = join(commandLine.dataDir, 'rungate.yaml');
    await writeFile(file, slowConfiguration());
    const child = startServer('--config', file);
    const log: string[] = [];
    child.stderr.on('line', (line: string) => log.push(line));
    await expect.poll(() => log.join('\n'), { timeout: 20_000 }).toContain('made a master key');
    await sleep(200);
    child.signal('SIGHUP');
    await sleep(200);
    const toldAt = performance.now();
    child.signal('SIGTERM');
    expect(await child.gone).toBe('exit 0');
    expect(performance.now() - toldAt).toBeLessThan(STOP_MS_MAX);
    const messages = log.map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(messages.slice(-2)).toEqual(['stopping: runs that wait for a vendor may finish', 'stopped']);
    expect(messages).not.toContain('ready');
  });

  it('does so too while it waits for the database of another server', async () => {
    const first = startServer();
    await linesUntil(
      first,
      (line) => line.startsWith('admin API'),
      () => 'the first server did not start',
    );
    const second = startServer();
    const log: string[] = [];
    second.stderr.on('line', (line: string) => log.push(line));
    // Longer than the program takes to load, and shorter than that and the wait of 5 s.
    await sleep(3_000);
    second.signal('SIGTERM');
    const toldAt = performance.now();
    expect(await second.gone).toBe('exit 0');
    expect(performance.now() - toldAt).toBeLessThan(1_500);
    expect(log.join('\n')).not.toContain('ready');
    first.signal('SIGTERM');
    expect(await first.gone).toBe('exit 0');
  });
});

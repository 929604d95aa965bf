import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCommandLine, type CommandLine } from '../support/command-line.ts';
import { linesUntil, startChild } from '../support/processes/child.ts';
import { PROGRAM } from '../support/program.ts';

describe('the log of a gateway', () => {
  let commandLine: CommandLine;
  beforeEach(async () => void (commandLine = await createCommandLine()));
  afterEach(() => commandLine.remove());

  async function logOf(environment: Record<string, string>): Promise<string[]> {
    const child = startChild([PROGRAM, 'serve'], {
      RUNGATE_DATA_DIR: commandLine.dataDir,
      RUNGATE_PORT: '0',
      RUNGATE_ADMIN_PORT: '0',
      ...environment,
    });
    const log: string[] = [];
    child.stderr.on('line', (line: string) => log.push(line));
    await linesUntil(
      child,
      (line) => line.startsWith('admin API'),
      () => log.join('\n'),
    );
    child.signal('SIGTERM');
    expect(await child.gone).toBe('exit 0');
    return log;
  }

  it('is JSON where nobody watches', async () => {
    const log = await logOf({});
    expect(log.length).toBeGreaterThan(2);
    expect(log.filter((line) => !/^\{"level":"(info|warn)","time":".*\}$/.test(line))).toEqual([]);
  });

  it('is readable where that is wanted, and without colours where nobody watches', async () => {
    const log = await logOf({ RUNGATE_LOG_FORMAT: 'text' });
    expect(log.length).toBeGreaterThan(2);
    expect(log.filter((line) => !/^\d\d:\d\d:\d\d\.\d{3} (INFO |WARN ) \S/.test(line))).toEqual([]);
    expect(log.join('\n')).not.toContain('\u001b');
  });
});

import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { createCommandLine } from '../support/command-line.ts';
import { LAUNCHER } from '../support/program.ts';

/** On SIGUSR2: prints the young heap's megabytes, keeps half a million objects, and prints them again. */
const PROBE = `data:text/javascript,${encodeURIComponent(`
  import { getHeapSpaceStatistics } from 'node:v8';
  const youngMb = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size / 2 ** 20;
  process.on('SIGUSR2', () => {
    const before = youngMb();
    globalThis.held = Array.from({ length: 500_000 }, (_, i) => ({ i }));
    console.log('young ' + before + ' ' + youngMb());
  });
`)}`;

test('The young heap is small when the server is ready, and grows when there is something to hold', async () => {
  const commandLine = await createCommandLine();
  onTestFinished(() => commandLine.remove());
  const gateway = spawn(process.execPath, ['--import', PROBE, LAUNCHER, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      RUNGATE_DATA_DIR: commandLine.dataDir,
      RUNGATE_CONFIG: join(commandLine.dataDir, 'rungate.yaml'),
      RUNGATE_LOG_LEVEL: 'error',
      RUNGATE_PORT: '0',
      RUNGATE_ADMIN_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(gateway, 'exit');
  try {
    let sizes: number[] = [];
    for await (const line of createInterface(gateway.stdout)) {
      if (line.startsWith('admin API')) setTimeout(() => gateway.kill('SIGUSR2'), 200);
      if (!line.startsWith('young')) continue;
      sizes = line.split(' ').slice(1).map(Number);
      break;
    }
    const [ready = NaN, holding = NaN] = sizes;
    expect(ready).toBeLessThanOrEqual(4);
    expect(holding).toBeGreaterThanOrEqual(8);
  } finally {
    gateway.kill('SIGKILL');
    await gone;
  }
});

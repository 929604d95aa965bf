import { spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { reviveJson } from '../../../src/core/json.ts';

const MODULES = new URL('../../../src/observability/', import.meta.url).href;

/** Arguments of a Node.js whose standard error is the outlet, with `log` and `outlet` at hand. */
function argvOf(program: string): string[] {
  const source = `
    import { createLogger } from '${MODULES}logger.ts';
    import { openLogOutlet } from '${MODULES}log-outlet.ts';
    const outlet = openLogOutlet();
    const log = createLogger({ level: 'info', destination: outlet });
    ${program}
  `;
  return ['--input-type=module-typescript', '--eval', source];
}

function start(program: string, stdio: StdioOptions) {
  return spawn(process.execPath, argvOf(program), { stdio, timeout: 30_000 });
}

const entriesOf = (lines: string) =>
  lines
    .split('\n')
    .slice(0, -1)
    .map((line) => reviveJson<Record<string, unknown>>(line));

const FULL_DISK = '/dev/full';

describe('the log on standard error', () => {
  it('holds every line once, those of the last moment included', async () => {
    const program = `
      for (let n = 0; n < 2_000; n++) log.info({ n }, 'a line ’ü');
      setTimeout(() => { log.info({ n: 2_000 }, 'the last'); process.exit(); }, 100);
    `;
    const child = start(program, ['ignore', 'ignore', 'pipe']);
    const entries = entriesOf(await text(child.stderr as NodeJS.ReadableStream));
    // A piece that is being written when the process ends may come behind the last ones.
    const numbers = entries.map(({ n }) => Number(n)).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 2_001 }, (_, n) => n));
    expect(entries[0]?.['msg']).toBe('a line ’ü');
  });

  it('is closed as soon as everything is written', async () => {
    const program = `
      log.info({}, 'the last');
      const begunAt = performance.now();
      await outlet.close();
      process.on('exit', () => console.log(performance.now() - begunAt));
    `;
    const child = start(program, ['ignore', 'pipe', 'pipe']);
    const [took, lines] = await Promise.all(
      [child.stdout, child.stderr].map((one) => text(one as NodeJS.ReadableStream)),
    );
    expect(entriesOf(lines ?? '').map(({ msg }) => msg)).toEqual(['the last']);
    expect(Number(took)).toBeLessThan(900);
  });

  it('has a line a moment after it was written', async () => {
    const child = start(`log.info({}, 'hello'); setTimeout(() => undefined, 20_000);`, ['ignore', 'ignore', 'pipe']);
    const [chunk] = (await once(child.stderr as NodeJS.ReadableStream, 'data')) as [Buffer];
    expect(chunk.toString()).toContain('"msg":"hello"');
    child.kill('SIGKILL');
  });

  it('loses and counts what comes while too much waits for a reader', async () => {
    const program = `
      outlet.onLost((lines) => { log.info({ lines }, 'lost'); setTimeout(() => clearInterval(alive), 2_000); });
      const alive = setInterval(() => undefined, 1_000);
      const filler = 'x'.repeat(10_000);
      for (let n = 0; n < 3_000; n++) log.info({ n, filler }, 'a line');
      process.stdout.write('written');
    `;
    const child = start(program, ['ignore', 'pipe', 'pipe']);
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    const entries = entriesOf(await text(child.stderr as NodeJS.ReadableStream));
    const kept = entries.filter(({ msg }) => msg === 'a line').length;
    const lost = entries.find(({ msg }) => msg === 'lost')?.['lines'];
    expect(kept).toBeGreaterThan(1_500);
    expect(kept).toBeLessThan(1_700);
    expect(lost).toBe(3_000 - kept);
  });

  it('keeps no process from ending where nobody reads', async () => {
    const program = `
      const filler = 'x'.repeat(10_000);
      for (let n = 0; n < 500; n++) log.info({ n, filler }, 'a line');
      await outlet.close();
    `;
    const child = start(program, ['ignore', 'ignore', 'pipe']);
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('makes a pipe that blocks one that does not', async () => {
    // A shell's pipe blocks, as an operator's does. Nothing else is loaded that could have opened standard error.
    const program = `
      import { openLogOutlet } from '${MODULES}log-outlet.ts';
      const outlet = openLogOutlet();
      for (let n = 0; n < 500; n++) outlet.write('x'.repeat(1_000) + '\\n');
      await outlet.close();
      process.stdout.write('closed');
      process.exit();
    `;
    const argv = [
      '-c',
      '"$0" "$@" 2> >(sleep 20)',
      process.execPath,
      '--input-type=module-typescript',
      '--eval',
      program,
    ];
    const child = spawn('bash', argv, { stdio: ['ignore', 'pipe', 'ignore'], timeout: 15_000 });
    const [status] = (await once(child, 'exit')) as [number | null];
    expect(status).toBe(0);
  });

  it('keeps no process from ending where the disk becomes full', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'rungate-log-'));
    const file = join(directory, 'log');
    try {
      const program = `for (let n = 0; n < 3_000; n++) log.info({ n }, 'a line'); setTimeout(() => process.exit(), 100);`;
      // A limit of the file's size in kilobytes stands for the disk.
      const argv = ['-c', 'ulimit -f 64; exec "$0" "$@"', process.execPath, ...argvOf(program)];
      const child = spawn('bash', argv, { stdio: ['ignore', 'ignore', openSync(file, 'w')], timeout: 30_000 });
      expect(await once(child, 'exit')).toEqual([0, null]);
      expect(readFileSync(file, 'utf8')).toContain('"n":100,');
      expect(statSync(file).size).toBe(65_536);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it.skipIf(!existsSync(FULL_DISK))('keeps no process from ending where it takes nothing', async () => {
    const child = start(`log.info({}, 'lost'); setTimeout(() => undefined, 600);`, [
      'ignore',
      'ignore',
      openSync(FULL_DISK, 'w'),
    ]);
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

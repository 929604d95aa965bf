import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn, type StdioOptions } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { appParts } from '../../src/cli/app-parts.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { systemClock } from '../../src/core/clock.ts';
import { reviveJson } from '../../src/core/json.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { openStore } from '../../src/store/open-store.ts';
import { PROGRAM } from './program.ts';
import { quietLog } from './simulation/quiet-log.ts';

export interface CommandResult {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface CommandLine {
  dataDir: string;
  /** Runs a command in this process. */
  run(
    argv: readonly string[],
    given?: { environment?: Record<string, string>; stdin?: string },
  ): Promise<CommandResult>;
  /** Runs a command that is to succeed, and reads the one document that it prints. */
  document<T = Record<string, unknown>>(argv: readonly string[], stdin?: string): Promise<T>;
  /** Runs the program in a process of its own; `stdout` is a file that it writes into instead. */
  spawn(
    argv: readonly string[],
    given?: { stdin?: string; closeStdout?: boolean; stdout?: number },
  ): Promise<CommandResult>;
  remove(): Promise<void>;
}

/** A command line over a data directory of its own, in which a server has been, unless it is `fresh`. */
export async function createCommandLine({ fresh = false } = {}): Promise<CommandLine> {
  const dataDir = await mkdtemp(join(tmpdir(), 'rungate-cli-'));
  const own = { RUNGATE_DATA_DIR: dataDir, RUNGATE_CONFIG: join(dataDir, 'rungate.yaml') };
  await writeFile(own.RUNGATE_CONFIG, 'providers: {}\n');
  if (!fresh) await makeDatabase(dataDir);
  async function run(
    argv: readonly string[],
    { environment = {}, stdin = '' }: { environment?: Record<string, string>; stdin?: string } = {},
  ): Promise<CommandResult> {
    const written = { stdout: '', stderr: '' };
    const exitCode = await runCli(argv, {
      environment: { ...own, ...environment },
      stdin: (async function* () {
        yield stdin;
      })(),
      stdout: { write: (chunk) => (written.stdout += chunk) },
      stderr: { write: (chunk) => (written.stderr += chunk) },
      clock: systemClock,
      random: createSystemRandom(),
      parts: appParts,
    });
    return { exitCode, ...written };
  }
  return {
    dataDir,
    run,
    async document<T>(argv: readonly string[], stdin = '') {
      const { exitCode, stdout, stderr } = await run([...argv, '--json'], { stdin });
      if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
      return reviveJson<T>(stdout);
    },
    async spawn(argv, { stdin = '', closeStdout = false, stdout } = {}) {
      const stdio: StdioOptions = ['pipe', stdout ?? 'pipe', 'pipe'];
      const child = spawn(process.execPath, [PROGRAM, ...argv], { env: own, stdio });
      child.stdin?.end(stdin);
      const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
      if (closeStdout) child.stdout?.destroy();
      const read = closeStdout ? null : child.stdout;
      const [out, err] = await Promise.all([
        read === null ? '' : text(read),
        child.stderr === null ? '' : text(child.stderr),
      ]);
      return { exitCode: await exited, stdout: out, stderr: err };
    },
    remove: () => rm(dataDir, { recursive: true, force: true }),
  };
}

async function makeDatabase(dataDir: string): Promise<void> {
  const url = `sqlite:${join(dataDir, 'rungate.db')}`;
  await (await openStore({ url, role: 'command', clock: systemClock, log: quietLog })).close();
}

import { spawn } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { createInterface } from 'node:readline';
import { ROOT } from '../documents.ts';

const CURL_STAND_IN = fileURLToPath(new URL('./curl-stand-in.mjs', import.meta.url));

export interface Ran {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** A command that goes on. */
export interface Running {
  /** Its lines of output so far. */
  lines: readonly string[];
  /** Asks the command, and what it has started, to stop; resolves once it is gone. */
  stop(): Promise<void>;
}

/** A reader's terminal: in the repository's root, with an environment of its own. */
export interface Shell {
  run(command: string): Promise<Ran>;
  /** Resolves once a line of output matches `ready`; rejects where the command ends before that. */
  start(command: string, ready: RegExp): Promise<Running>;
}

/** Opens a shell; `sh` reads its commands as they stand. */
export function openShell(environment: Record<string, string>): Shell {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RUNGATE_'));
  const own = { ...Object.fromEntries(inherited), ...environment };
  const spawnShell = (command: string) =>
    // A group of its own, so that what the command starts can be stopped with it.
    spawn('sh', ['-c', command], {
      cwd: ROOT,
      env: own,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  return {
    async run(command) {
      const child = spawnShell(command);
      const gone = new Promise<number | null>((resolve) => child.once('close', resolve));
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
      return { exitCode: await gone, stdout, stderr };
    },
    start(command, ready) {
      const child = spawnShell(command);
      const signalGroup = (signal: NodeJS.Signals) => {
        try {
          process.kill(-child.pid!, signal);
        } catch {
          // Gone already.
        }
      };
      const killWithUs = () => signalGroup('SIGKILL');
      process.once('exit', killWithUs);
      const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
      void gone.then(() => process.off('exit', killWithUs));
      const lines: string[] = [];
      const complaints: string[] = [];
      createInterface(child.stderr).on('line', (line) => complaints.push(line));
      const stop = async () => {
        signalGroup('SIGTERM');
        await gone;
      };
      return new Promise((resolve, reject) => {
        createInterface(child.stdout).on('line', (line) => {
          lines.push(line);
          if (ready.test(line)) resolve({ lines, stop });
        });
        child.once('error', reject);
        void gone.then(() => reject(new Error(`${command} ended early\n${complaints.join('\n')}`)));
      });
    },
  };
}

/** The `PATH` on which `curl` is the stand-in. */
export async function pathWithCurlStandIn(directory: string): Promise<string> {
  const folder = join(directory, 'bin');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'curl');
  await writeFile(file, `#!/bin/sh\nexec "${process.execPath}" "${CURL_STAND_IN}" "$@"\n`);
  await chmod(file, 0o755);
  return [folder, dirname(process.execPath), process.env['PATH']].join(':');
}

/** Whether this machine has the real one. */
export async function hasCurl(): Promise<boolean> {
  return (await openShell({}).run('command -v curl')).exitCode === 0;
}

/** The commands of a shell text: a line each, continued lines put together. */
export function shellCommands(script: string): string[] {
  return script
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

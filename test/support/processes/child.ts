import { spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

/** A Node process of ours that runs beside this one and dies with it at the latest. */
export interface Child {
  stdout: Interface;
  stderr: Interface;
  /** Resolves once the process is gone, to how it went: `exit 0`, `SIGKILL`. */
  gone: Promise<string>;
  signal(signal: 'SIGKILL' | 'SIGTERM' | 'SIGHUP' | 'SIGUSR2'): void;
}

/** Starts `node <argv>` with nothing but the given environment. */
export function startChild(argv: readonly string[], environment: Readonly<Record<string, string>>): Child {
  const child = spawn(process.execPath, argv, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const killWithParent = () => child.kill('SIGKILL');
  process.once('exit', killWithParent);
  const gone = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('exit', killWithParent);
      resolve(signal ?? `exit ${code}`);
    });
  });
  return {
    stdout: createInterface(child.stdout),
    stderr: createInterface(child.stderr),
    gone,
    signal: (signal) => void child.kill(signal),
  };
}

/** The lines of `lines` until one is `last`; rejects with `complaint` where the process is gone before that. */
export async function linesUntil(
  { stdout, gone }: Child,
  last: (line: string) => boolean,
  complaint: () => string,
): Promise<string[]> {
  const seen: string[] = [];
  const found = new Promise<string[]>((resolve) => {
    stdout.on('line', (line: string) => {
      seen.push(line);
      if (last(line)) resolve(seen);
    });
  });
  const tooLate = gone.then((how) => Promise.reject(new Error(`${complaint()} (${how})`)));
  return Promise.race([found, tooLate]);
}

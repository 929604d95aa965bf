import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const TICKS_A_SECOND = 100;

export interface Running {
  pid: number;
  /** Everything it printed so far. */
  lines: string[];
  stop(): Promise<void>;
}

/** Starts a Node process and waits for the line of its standard output that `ready` accepts. */
export async function start(
  args: readonly string[],
  environment: Record<string, string>,
  ready: (line: string) => boolean,
): Promise<Running> {
  const child: ChildProcess = spawn(process.execPath, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let complaints = '';
  child.stderr?.on('data', (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-4_000)));
  await new Promise<void>((resolve, reject) => {
    if (child.stdout) createInterface(child.stdout).on('line', (line) => (lines.push(line), ready(line) && resolve()));
    child.once('exit', (code) => reject(new Error(`${args[0]} ended with ${code}: ${complaints}`)));
  });
  return {
    pid: child.pid ?? 0,
    lines,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** CPU that a process has used, all its threads, in microseconds (Linux counts in hundredths of a second). */
export function cpuMicroseconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND) * 1e6;
}

/** Memory that is the process's alone, in megabytes. */
export function privateMegabytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = [...text.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
  return kilobytes / 1024;
}

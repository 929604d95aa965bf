import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

const TIMEOUT_MS = 120_000;

/** A program that has ended. */
export interface Ended {
  /** Null: killed by a signal, or not there. */
  status: number | null;
  stdout: string;
  stderr: string;
  ms: number;
}

export interface CommandOptions {
  stdin?: string;
  directory?: string;
  environment?: Readonly<Record<string, string>>;
  timeoutMs?: number;
}

/** Runs a program to its end, whatever that is. */
export async function tryCommand(line: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const [program = '', ...argv] = line;
  const { stdin = '', directory, environment = {}, timeoutMs = TIMEOUT_MS } = options;
  const begunAt = performance.now();
  const child = spawn(program, argv, {
    env: { ...process.env, ...environment },
    timeout: timeoutMs,
    ...(directory === undefined ? {} : { cwd: directory }),
  });
  const status = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  // A program that does not read its input is no fault of its caller.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, stdout, stderr, ms: performance.now() - begunAt };
}

/** Runs a program that is to end well, and resolves to its trimmed output. Throws with what it said otherwise. */
export async function command(line: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await tryCommand(line, options);
  if (status === 0) return stdout.trim();
  throw new Error(
    `${line.join(' ')}: ${status === null ? 'killed' : `exit ${status}`}: ${lastLines(stderr || stdout)}`,
  );
}

function lastLines(output: string): string {
  return output.trim().split('\n').slice(-5).join(' | ');
}

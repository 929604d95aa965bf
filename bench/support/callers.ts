import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { reviveJson } from '../../src/core/json.ts';

/** What one process of callers was told. Times in milliseconds, from the first byte sent to the answer's last. */
export interface CallerReport {
  sent: number;
  /** Requests for which no connection was free at their time; they were not sent. */
  late: number;
  /** Answered 200 with a run that succeeded. */
  accepted: number[];
  /** Answered 503 `overloaded` with `Retry-After`. */
  refused: number[];
  /** Everything else, as it came. */
  broken: string[];
  cpuMs: number;
}

export interface CallersOptions {
  url: string;
  authorization: string;
  body: string;
  perSecond: number;
  seconds: number;
  connections: number;
  /** 0: as everybody else; 19: only where nobody else wants to. */
  niceness: number;
}

/** Lets callers call, in a process of their own, and resolves when they are done. */
export async function runCallers(options: CallersOptions): Promise<CallerReport> {
  const { url, authorization, body, perSecond, seconds, connections, niceness } = options;
  const args = [url, authorization, body, ...[perSecond, seconds, connections].map(String)];
  const command = ['-n', String(niceness), process.execPath, join(import.meta.dirname, 'caller.ts'), ...args];
  const child = spawn('nice', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (status !== 0) throw new Error(`callers ended with ${status}`);
  return reviveJson<CallerReport>(output);
}

import { linesUntil, startChild } from './processes/child.ts';
import { PROGRAM } from './program.ts';

const BANNER = /runs API +(\S+)/;

/** `rungate serve` in a process of its own. */
export interface ServingProcess {
  url: string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

/** Serves a prepared gateway's data from a process of its own. */
export async function serveBeside(environment: Readonly<Record<string, string>>): Promise<ServingProcess> {
  const child = startChild([PROGRAM, 'serve'], { ...environment, RUNGATE_LOG_LEVEL: 'silent' });
  const complaints: string[] = [];
  child.stderr.on('line', (line) => complaints.push(line));
  const lines = await linesUntil(
    child,
    (line) => BANNER.test(line),
    () => `the gateway did not start: ${complaints.join('\n')}`,
  );
  return {
    url: lines.map((line) => BANNER.exec(line)?.[1]).find((found) => found !== undefined) ?? '',
    async kill() {
      child.signal('SIGKILL');
      await child.gone;
    },
  };
}

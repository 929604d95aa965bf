import { processEnvironment } from '../config/environment.ts';
import { systemClock } from '../core/clock.ts';
import { createSystemRandom } from '../core/random.ts';
import { appParts } from './app-parts.ts';
import { runCli } from './run-cli.ts';

const ALIVE_MS = 60_000;

/** The process as a command sees it. */
type CommandProcess = Pick<NodeJS.Process, 'argv' | 'stdin' | 'stdout' | 'stderr' | 'exit'>;

/** Runs the command line that the process was started with, and resolves to its exit status. */
export async function runProcess(own: CommandProcess): Promise<number> {
  const { stdin, stdout, stderr } = own;
  // Who reads us may stop reading (`| head`): that is no fault, and nobody is left to tell.
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      own.exit();
    });
  }
  // Our timers keep no process alive, so while one is all that a command waits for, this does.
  const alive = setInterval(() => undefined, ALIVE_MS);
  try {
    return await runCli(own.argv.slice(2), {
      environment: processEnvironment(),
      stdin,
      stdout,
      stderr,
      clock: systemClock,
      random: createSystemRandom(),
      parts: appParts,
    });
  } finally {
    clearInterval(alive);
  }
}

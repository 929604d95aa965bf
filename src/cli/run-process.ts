import { processEnvironment } from '../config/environment.ts';
import { systemClock } from '../core/clock.ts';
import { createSystemRandom } from '../core/random.ts';
import { appParts } from './app-parts.ts';
import { FAILED } from './report-error.ts';
import { runCli } from './run-cli.ts';

const ALIVE_MS = 60_000;

/** The process as a command sees it. */
type CommandProcess = Pick<NodeJS.Process, 'argv' | 'stdin' | 'stdout' | 'stderr' | 'exit'>;

/** Runs the command line that the process was started with, and resolves to its exit status. */
export async function runProcess(own: CommandProcess): Promise<number> {
  const { stdin, stdout, stderr } = own;
  let serving = false;
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A server goes on and drains in order, whether or not anybody reads its addresses and its log.
      if (serving) return;
      // Who reads us may stop reading (`| head`): that is no fault, and nobody is left to tell.
      if (error.code === 'EPIPE') return own.exit();
      if (stream === stdout) stderr.write(`rungate: the answer could not be written: ${error.code ?? error.message}\n`);
      own.exit(FAILED);
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
      parts: {
        ...appParts,
        serve(options) {
          serving = true;
          return appParts.serve(options);
        },
      },
    });
  } finally {
    clearInterval(alive);
  }
}

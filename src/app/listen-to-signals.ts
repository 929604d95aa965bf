import { isatty } from 'node:tty';

const STANDARD_ERROR = 2;

/** What the system tells a server's process. */
export interface Signals {
  /** Aborted by the first signal that ends the process; its name is the reason. */
  readonly stop: AbortSignal;
  /** Resolves with that name. */
  readonly stopped: Promise<string>;
  /** Calls `reload` at each SIGHUP, and for those that came before. */
  onReload(reload: () => void): void;
}

/**
 * SIGTERM and SIGINT end the process, the second one at once. SIGHUP is to read the configuration again, unless it comes
 * because the terminal that shows the log was closed. To be called before the gateway is loaded, so that a signal during
 * the start is not lost, nor ends what it should not.
 */
export function listenToSignals(): Signals {
  const terminal = isatty(STANDARD_ERROR);
  const stop = new AbortController();
  let reload: (() => void) | null = null;
  let hungUp = false;
  const stopped = new Promise<string>((resolve) => {
    let told = false;
    function end(signal: string): void {
      stop.abort(signal);
      resolve(signal);
    }
    function tell(signal: string): void {
      if (told) process.exit(1);
      told = true;
      end(signal);
    }
    process.on('SIGTERM', tell);
    process.on('SIGINT', tell);
    process.on('SIGHUP', () => {
      // A closed terminal hangs up too, and then nobody is there to look after the process.
      if (terminal && !isatty(STANDARD_ERROR)) return end('SIGHUP');
      if (reload === null) hungUp = true;
      else reload();
    });
  });
  return {
    stop: stop.signal,
    stopped,
    onReload(fn) {
      reload = fn;
      if (hungUp) fn();
    },
  };
}

import { isatty } from 'node:tty';
import { variable, type Environment } from '../config/environment.ts';
import { settingsFor, type Settings } from '../config/load-settings.ts';
import type { Log } from '../core/log.ts';
import { openLogOutlet, type LogDestination } from '../observability/log-outlet.ts';
import { createLogger } from '../observability/logger.ts';
import type { WriterThread } from '../store/writer-thread.ts';
import { startGateway, type Gateway } from './start-gateway.ts';

const STANDARD_ERROR = 2;

/** What `rungate serve` was asked to do. */
export interface ServeOptions {
  environment: Environment;
  /** `--config`, which goes before `RUNGATE_CONFIG`. */
  configFile: string | null;
  sandbox: boolean;
  stdout: { write(text: string): unknown };
  writerThread: WriterThread;
}

/**
 * Runs the gateway until SIGTERM or SIGINT, then drains it; a second signal ends the process at once.
 * SIGHUP reads the configuration file again, unless it comes because the terminal that shows the log was closed.
 * People read standard output: the addresses. The log goes to standard error: one JSON document a line, or readable lines
 * where that is a terminal.
 */
export async function serve({ environment, configFile, sandbox, stdout, writerThread }: ServeOptions): Promise<void> {
  const settings = withFile(settingsFor(environment, { sandbox }), configFile);
  const outlet = openLogOutlet();
  const destination = await readableWhereWanted(outlet, settings, environment);
  const log = createLogger({ level: settings.logLevel, destination });
  outlet.onLost((lines) => log.warn({ lines }, 'log lines were lost: standard error did not take them'));
  for (const warning of settings.warnings) log.warn({}, warning);
  const signals = listenToSignals(log);
  const gateway = await startGateway({ settings, environment, sandbox, log, writerThread });
  signals.onReload(() => void gateway.reload());
  stdout.write(banner(gateway));
  log.info({ sandbox }, 'ready');
  const signal = await signals.stop;
  log.info(
    { signal, drain_timeout_s: settings.limits.drainTimeoutS },
    'stopping: runs that wait for a vendor may finish',
  );
  await gateway.stop();
  log.info({}, 'stopped');
  await outlet.close();
}

/** What makes lines readable is loaded only where somebody reads them. `NO_COLOR` is what people set who want none. */
async function readableWhereWanted(
  destination: LogDestination,
  { logFormat }: Settings,
  environment: Environment,
): Promise<LogDestination> {
  const terminal = isatty(STANDARD_ERROR);
  if (logFormat === 'json' || (logFormat === 'auto' && !terminal)) return destination;
  const { readableLines } = await import('../observability/readable-lines.ts');
  return readableLines(destination, { color: terminal && variable(environment, 'NO_COLOR') === undefined });
}

function withFile(settings: Settings, configFile: string | null): Settings {
  return configFile === null ? settings : { ...settings, config: { path: configFile, mayBeAbsent: false } };
}

interface Signals {
  /** Resolves with the first signal that ends the process. */
  stop: Promise<string>;
  onReload(reload: () => void): void;
}

/** Listens from the beginning, so that a signal during the start is not lost, nor ends what it should not. */
function listenToSignals(log: Log): Signals {
  const terminal = isatty(STANDARD_ERROR);
  let reload: (() => void) | null = null;
  let hungUp = false;
  const stop = new Promise<string>((resolve) => {
    let told = false;
    const tell = (signal: string) => {
      if (told) process.exit(1);
      told = true;
      resolve(signal);
    };
    process.on('SIGTERM', tell);
    process.on('SIGINT', tell);
    process.on('SIGHUP', () => {
      // A closed terminal hangs up too, and then nobody is there to look after the process.
      if (terminal && !isatty(STANDARD_ERROR)) return resolve('SIGHUP');
      log.info({}, 'SIGHUP: reading the configuration again');
      if (reload === null) hungUp = true;
      else reload();
    });
  });
  return {
    stop,
    onReload(fn) {
      reload = fn;
      if (hungUp) fn();
    },
  };
}

function banner({ runsUrl, adminUrl, sandbox }: Gateway): string {
  const lines = [`runs API   ${runsUrl}`, `admin API  ${adminUrl}`];
  for (const vendor of Object.values(sandbox?.vendors ?? {}))
    lines.push(`sandbox    ${vendor.baseUrl}  ${vendor.title}`);
  if (sandbox) lines.push(`sandbox    ${sandbox.control.origin}  counts starts: GET /starts`);
  return `${lines.join('\n')}\n`;
}

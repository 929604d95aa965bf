import { isatty } from 'node:tty';
import { variable, type Environment } from '../config/environment.ts';
import { settingsFor, type Settings } from '../config/load-settings.ts';
import type { Log } from '../core/log.ts';
import { openLogOutlet, type LogDestination } from '../observability/log-outlet.ts';
import { createLogger } from '../observability/logger.ts';
import type { WriterThread } from '../store/writer-thread.ts';
import type { Signals } from './listen-to-signals.ts';
import { startGateway, type Gateway, type GatewayOptions } from './start-gateway.ts';

const STANDARD_ERROR = 2;

/** What `rungate serve` was asked to do. */
export interface ServeOptions {
  environment: Environment;
  /** `--config`, which goes before `RUNGATE_CONFIG`. */
  configFile: string | null;
  sandbox: boolean;
  stdout: { write(text: string): unknown };
  writerThread: WriterThread;
  signals: Signals;
}

/**
 * Runs the gateway until a signal ends it, then drains it; one that comes during the start ends the start. SIGHUP reads the
 * configuration file again.
 * People read standard output: the addresses. The log goes to standard error: one JSON document a line, or readable lines
 * where that is a terminal.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { environment, configFile, sandbox, signals } = options;
  const settings = withFile(settingsFor(environment, { sandbox }), configFile);
  const outlet = openLogOutlet();
  const destination = await readableWhereWanted(outlet, settings, environment);
  const log = createLogger({ level: settings.logLevel, destination });
  outlet.onLost((lines) => log.warn({ lines }, 'log lines were lost: standard error did not take them'));
  for (const warning of settings.warnings) log.warn({}, warning);
  void signals.stopped.then((signal) =>
    log.info(
      { signal, drain_timeout_s: settings.limits.drainTimeoutS },
      'stopping: runs that wait for a vendor may finish',
    ),
  );
  const gateway = await startUnlessStopped({ ...options, settings, log });
  if (gateway !== null) await serveUntilStopped(gateway, { ...options, log });
  log.info({}, 'stopped');
  await outlet.close();
}

/** Null where the process was told to end before the gateway was ready. */
async function startUnlessStopped({
  signals,
  ...options
}: Omit<GatewayOptions, 'stop'> & { signals: Signals }): Promise<Gateway | null> {
  try {
    return await startGateway({ ...options, stop: signals.stop });
  } catch (error) {
    if (signals.stop.aborted && error === signals.stop.reason) return null;
    throw error;
  }
}

async function serveUntilStopped(
  gateway: Gateway,
  { signals, sandbox, stdout, log }: Pick<ServeOptions, 'signals' | 'sandbox' | 'stdout'> & { log: Log },
): Promise<void> {
  signals.onReload(() => {
    log.info({}, 'SIGHUP: reading the configuration again');
    void gateway.reload();
  });
  stdout.write(banner(gateway));
  log.info({ sandbox }, 'ready');
  await signals.stopped;
  await gateway.stop();
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

function banner({ runsUrl, adminUrl, sandbox }: Gateway): string {
  const lines = [`runs API   ${runsUrl}`, `admin API  ${adminUrl}`];
  for (const vendor of Object.values(sandbox?.vendors ?? {}))
    lines.push(`sandbox    ${vendor.baseUrl}  ${vendor.title}`);
  if (sandbox) lines.push(`sandbox    ${sandbox.control.origin}  counts starts: GET /starts`);
  return `${lines.join('\n')}\n`;
}

import { pino } from 'pino';
import { isoTime } from '../core/iso-time.ts';
import type { Log, LogFields } from '../core/log.ts';
import type { LogDestination } from './log-outlet.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const CAUSES_MAX = 5;
const TEXT_LENGTH_MAX = 8192;

/** An error as a log line carries it: nothing but these fields, whatever else hangs on the object. */
interface LoggedError {
  name: string;
  message: string;
  code: string | null;
  stack: string | null;
  cause?: LoggedError;
}

/**
 * A log of JSON lines: `level` by name, `time` in RFC 3339, the fields, `msg`. Errors among the
 * fields are reduced to name, message, code, stack and causes; a `Secret` prints as `[secret]`.
 */
export function createLogger({ level, destination }: { level: LogLevel; destination: LogDestination }): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${isoTime(Date.now())}"`,
      formatters: { level: (label) => ({ level: label }), log: (fields) => reduceErrors(fields) },
    },
    destination,
  );
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}

function reduceErrors(fields: LogFields): Record<string, unknown> {
  // Nearly no line holds an error, and every request has a line.
  if (!hasError(fields)) return fields;
  const reduced: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    reduced[name] = value instanceof Error ? reduceError(value, CAUSES_MAX) : value;
  }
  return reduced;
}

function hasError(fields: LogFields): boolean {
  for (const name in fields) if (fields[name] instanceof Error) return true;
  return false;
}

function reduceError(error: Error, causesMax: number): LoggedError {
  const code: unknown = 'code' in error ? error.code : null;
  const reduced: LoggedError = {
    name: shorten(error.name),
    message: shorten(error.message),
    code: typeof code === 'string' || typeof code === 'number' ? shorten(String(code)) : null,
    stack: error.stack === undefined ? null : shorten(error.stack),
  };
  if (error.cause instanceof Error && causesMax > 0) reduced.cause = reduceError(error.cause, causesMax - 1);
  return reduced;
}

/** Not every library throws errors whose fields are texts. */
function shorten(text: unknown): string {
  return typeof text === 'string' ? text.slice(0, TEXT_LENGTH_MAX) : '';
}

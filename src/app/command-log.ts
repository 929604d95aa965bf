import type { Settings } from '../config/load-settings.ts';
import type { Log } from '../core/log.ts';
import { createLogger } from '../observability/logger.ts';

/** Where a command's log lines go. */
export interface LogTarget {
  write(text: string): unknown;
}

/** A command's answer is what it prints; its log speaks up only when something is the matter, as a setting that does nothing is. */
export function commandLog({ logLevel, warnings }: Pick<Settings, 'logLevel' | 'warnings'>, logTo: LogTarget): Log {
  const write = (text: string) => void logTo.write(text);
  const log = createLogger({ level: logLevel === 'info' ? 'warn' : logLevel, destination: { write } });
  for (const warning of warnings) log.warn({}, warning);
  return log;
}

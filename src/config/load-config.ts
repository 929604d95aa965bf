import { open } from 'node:fs/promises';
import { READ_WITHOUT_WAITING, readAtMost } from '../core/read-at-most.ts';
import { ConfigError } from './config-error.ts';
import { NO_CONFIG, parseConfig, type Config, type ConfigContext } from './parse-config.ts';

const FILE_BYTES_MAX = 1024 * 1024;

/** Where the configuration is; only the default place may have none. */
export interface ConfigSource {
  path: string;
  mayBeAbsent: boolean;
}

/**
 * Reads `rungate.yaml`: UTF-8, at most 1 MiB. A file that may be absent, and is, says nothing.
 * Throws `ConfigError` with all faults at once.
 */
export async function loadConfig(source: ConfigSource, context: ConfigContext): Promise<Config> {
  const text = await loadConfigText(source);
  return text === null ? NO_CONFIG : parseConfig(text, source.path, context);
}

/** The file's text; null where it may be absent and is. Throws `ConfigError`. */
export async function loadConfigText({ path, mayBeAbsent }: ConfigSource): Promise<string | null> {
  const text = await readConfigText(path);
  if (text === null && !mayBeAbsent) throw unreadable(path, 'no such file');
  return text;
}

/** Whether a file is empty, which it may be for a moment while somebody writes it. `{}` says that there is nothing. */
export function isEmptyText(text: string): boolean {
  return text.trim() === '';
}

/** The file's text; null where there is no such file. Throws `ConfigError` where it cannot be read. */
export async function readConfigText(path: string): Promise<string | null> {
  const bytes = await readBytes(path);
  if (bytes === null) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadable(path, 'expected UTF-8 text');
  }
}

async function readBytes(path: string): Promise<Uint8Array | null> {
  try {
    await using handle = await open(path, READ_WITHOUT_WAITING);
    if (!(await handle.stat()).isFile()) throw unreadable(path, 'expected a file');
    const bytes = await readAtMost(handle, FILE_BYTES_MAX);
    if (bytes === null) throw unreadable(path, `expected at most ${FILE_BYTES_MAX} bytes`);
    return bytes;
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault';
    if (code === 'ENOENT') return null;
    throw unreadable(path, `cannot be read: ${code}`);
  }
}

function unreadable(path: string, message: string): ConfigError {
  return new ConfigError([{ source: path, line: null, column: null, path: '', message }]);
}

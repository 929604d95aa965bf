import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
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

/** The file's text; null where there is no such file. Throws `ConfigError` where it cannot be read. */
export async function readConfigText(path: string): Promise<string | null> {
  const bytes = await readBytes(path);
  if (bytes === null) return null;
  if (bytes.length > FILE_BYTES_MAX) throw unreadable(path, `expected at most ${FILE_BYTES_MAX} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadable(path, 'expected UTF-8 text');
  }
}

/** Opening a pipe would otherwise wait for somebody to write into it, on a thread that nothing can call back. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** One byte more than is allowed shows that there are too many. */
async function readBytes(path: string): Promise<Uint8Array | null> {
  try {
    await using handle = await open(path, FLAGS);
    if (!(await handle.stat()).isFile()) throw unreadable(path, 'expected a file');
    const buffer = Buffer.alloc(FILE_BYTES_MAX + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
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

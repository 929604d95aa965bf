import { link, open, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode, makeDirectory, syncPath } from '../core/durable-files.ts';
import type { Random } from '../core/random.ts';
import { Secret } from '../core/secret.ts';
import { parseMasterKeys, unusable, type MasterKey, type MasterKeys } from './master-key.ts';
import { READ_WITHOUT_WAITING, readAtMost } from '../core/read-at-most.ts';

const FILE_BYTES_MAX = 4096;
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/** Reads the keys in a file, newest first; null where there is no such file. Throws `vault_unavailable`. */
export async function readMasterKeyFile(file: string): Promise<[MasterKey, ...MasterKey[]] | null> {
  const text = await readShortFile(file);
  return text === null ? null : parseMasterKeys(text, `The master key file ${file}`);
}

/** The text of a file that may hold master keys; null where there is none. Throws `vault_unavailable`. */
export async function readShortFile(file: string): Promise<Secret | null> {
  try {
    await using handle = await open(file, READ_WITHOUT_WAITING);
    if (!(await handle.stat()).isFile()) throw new TypeError('it is no file');
    const bytes = await readAtMost(handle, FILE_BYTES_MAX);
    if (bytes === null) throw new RangeError(`longer than ${FILE_BYTES_MAX} bytes`);
    return new Secret(bytes.toString('utf8'));
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return null;
    throw unusable(`The master key file ${file} cannot be read: ${(cause as Error).message}`, cause);
  }
}

/** Whether the file's mode lets others than its owner have it. */
export async function isOpenToOthers(file: string): Promise<boolean> {
  return ((await stat(file)).mode & OTHERS) !== 0;
}

/** Keys in a file that an operator may change: it is read again for the newest key and for an unknown one. */
export function masterKeysInFile(file: string, keys: readonly MasterKey[]): MasterKeys {
  let known = keys;
  async function readAgain(): Promise<[MasterKey, ...MasterKey[]]> {
    const read = await readMasterKeyFile(file);
    if (read === null) throw unusable(`The master key file ${file} is gone. Put it back.`);
    known = read;
    return read;
  }
  const among = (fingerprint: string) => known.find((key) => key.fingerprint === fingerprint) ?? null;
  return {
    newest: async () => (await readAgain())[0],
    async find(fingerprint) {
      const found = among(fingerprint);
      if (found !== null) return found;
      await readAgain();
      return among(fingerprint);
    },
  };
}

/**
 * Makes a key file that only its owner can read, whole and on disk before it has its name. Of several
 * processes exactly one makes it; the others return false and read what it wrote.
 */
export async function makeMasterKeyFile(file: string, random: Random): Promise<boolean> {
  const directory = dirname(file);
  const draft = join(directory, `.master.key.${Buffer.from(random.bytes(12)).toString('hex')}`);
  try {
    makeDirectory(directory);
    await writeDraft(draft, `${Buffer.from(random.bytes(32)).toString('base64')}\n`);
    await link(draft, file);
  } catch (cause) {
    if (hasCode(cause, 'EEXIST')) return false;
    throw unusable(`The master key file ${file} cannot be made: ${(cause as Error).message}`, cause);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  // A new name is durable only once its directory is.
  syncPath(directory);
  return true;
}

async function writeDraft(draft: string, text: string): Promise<void> {
  await using handle = await open(draft, 'wx', OWNER_ONLY);
  await handle.writeFile(text);
  await handle.sync();
}

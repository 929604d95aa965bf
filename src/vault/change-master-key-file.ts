import { constants } from 'node:fs';
import { access, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode, syncPath } from '../core/durable-files.ts';
import type { Secret } from '../core/secret.ts';
import { readShortFile } from './master-key-file.ts';
import { parseMasterKeys, unusable } from './master-key.ts';

const WRITABLE_BITS = 0o222;
const OTHERS_BITS = 0o077;

/** What an operator does where the file is not ours to replace, such as one that a container runtime mounts. */
export const BY_HAND =
  'Let it be written, or put a new key into its first line yourself (openssl rand -base64 32 makes one; ' +
  'the old lines stay) and rotate again: that goes on with the first line.';

/** A key file as a rotation found it. */
export interface KeyFile {
  /** As the settings name it. */
  name: string;
  /** Without symbolic links: what is replaced is the file, not a link to it. */
  path: string;
  text: Secret;
  mode: number;
  uid: number;
  gid: number;
}

/** Reads a key file that is to be replaced. Null where there is none. Throws `vault_unavailable` where it cannot be. */
export async function openKeyFile(name: string): Promise<KeyFile | null> {
  const path = await realpath(name).catch((cause: unknown) => {
    if (hasCode(cause, 'ENOENT')) return null;
    throw unusable(`The master key file ${name} cannot be read: ${(cause as Error).message}`, cause);
  });
  const text = path === null ? null : await readShortFile(path);
  if (path === null || text === null) return null;
  const { mode, uid, gid } = await stat(path);
  return { name, path, text, mode: mode & 0o777, uid, gid };
}

/** Whether somebody beside its owner can read or write a key file. */
export function isOpenToOthers({ mode }: Pick<KeyFile, 'mode'>): boolean {
  return (mode & OTHERS_BITS) !== 0;
}

/** Throws `vault_unavailable` where the file is not to be written, by its mode or for this user. */
export async function checkWritable({ name, path, mode }: KeyFile): Promise<void> {
  const isWritable = await access(path, constants.W_OK).then(
    () => (mode & WRITABLE_BITS) !== 0,
    () => false,
  );
  if (isWritable) return;
  throw unusable(`The master key file ${name} is read-only. ${BY_HAND}`);
}

/**
 * Replaces a key file by the same with other text, so that at every moment the one or the other is there, whole. Owner and
 * mode stay. Whoever calls holds the file's lock. Throws `vault_unavailable`, with the file as it was, where somebody else
 * has changed it since it was read.
 */
export async function replaceKeyFile(file: KeyFile, text: Secret): Promise<void> {
  const { name, path, mode, uid, gid } = file;
  parseMasterKeys(text, `The master key file ${name} with one more key`);
  // One name, so that what a killed process left is taken away by the next.
  const draft = `${path}.new`;
  try {
    await unlink(draft).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
    await writeDraft(draft, { text, mode, uid, gid });
    if ((await readShortFile(path))?.open() !== file.text.open()) throw changedMeanwhile(name);
    await rename(draft, path);
    syncPath(dirname(path));
  } catch (cause) {
    await unlink(draft).catch(() => undefined);
    if (!hasErrno(cause)) throw cause;
    throw unusable(`The master key file ${name} cannot be replaced: ${(cause as Error).message}. ${BY_HAND}`, cause);
  }
}

async function writeDraft(draft: string, { text, mode, uid, gid }: Omit<KeyFile, 'name' | 'path'>): Promise<void> {
  await using handle = await open(draft, 'wx', 0o600);
  const own = await handle.stat();
  // Of root's a server that is somebody else could read nothing.
  if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid);
  await handle.chmod(mode);
  await handle.writeFile(text.open());
  await handle.sync();
}

function changedMeanwhile(name: string): Error {
  return unusable(`The master key file ${name} was changed by somebody else just now. Nothing was done: rotate again.`);
}

function hasErrno(error: unknown): boolean {
  return error instanceof Error && 'errno' in error;
}

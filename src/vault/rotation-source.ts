import type { Random } from '../core/random.ts';
import { Secret } from '../core/secret.ts';
import {
  BY_HAND,
  checkWritable,
  isOpenToOthers,
  openKeyFile,
  replaceKeyFile,
  type KeyFile,
} from './change-master-key-file.ts';
import { readMasterKeyFile } from './master-key-file.ts';
import { parseMasterKeys, unusable, type MasterKey } from './master-key.ts';

const KEY_BYTES = 32;

/** A master key as a line of a key file. */
export interface WrittenKey {
  text: Secret;
  key: MasterKey;
}

/** Where the master keys come from, as their rotation sees it. */
export interface RotationSource {
  /** As people know it: a file's path, or a setting's name. */
  name: string;
  /** Newest first, as they were when the source was opened, and with what was added since. */
  keys(): readonly [MasterKey, ...MasterKey[]];
  /** Null: the keys come from where nothing can be added. */
  adding: {
    /** Throws `vault_unavailable` where nothing can be added. */
    check(): Promise<void>;
    /** Puts a key before the others, durably. What it resolves to takes it away again. Throws `vault_unavailable`. */
    add(written: WrittenKey): Promise<() => Promise<void>>;
  } | null;
  /** Sentences about what the operator should know. */
  warnings: readonly string[];
}

/** Takes a lock for as long as a file is replaced; null while another process has it. */
export type LockFile = (path: string) => { release(): void } | null;

/** The keys of a file that is to be rotated; null where there is no file. Throws `vault_unavailable`. */
export async function openFileSource(name: string, { lock }: { lock: LockFile }): Promise<RotationSource | null> {
  const found = await openKeyFile(name);
  return found === null ? null : sourceOf(found, lock);
}

function sourceOf(found: KeyFile, lock: LockFile): RotationSource {
  const parse = ({ name, text }: KeyFile) => parseMasterKeys(text, `The master key file ${name}`);
  let file = found;
  let keys = parse(file);
  async function replace(text: Secret): Promise<void> {
    const held = takeLock(file, lock);
    try {
      await replaceKeyFile(file, text);
    } finally {
      held.release();
    }
    file = { ...file, text };
    keys = parse(file);
  }
  return {
    name: found.name,
    keys: () => keys,
    adding: {
      check: () => checkWritable(file),
      async add({ text }) {
        const before = file.text;
        await replace(new Secret(`${text.open()}\n${before.open()}`));
        return () => replace(before);
      },
    },
    warnings: isOpenToOthers(found)
      ? [`The master key file ${found.name} can be read by others than its owner: chmod 600 ${found.name}`]
      : [],
  };
}

function takeLock({ name, path }: KeyFile, lock: LockFile): { release(): void } {
  let held: ReturnType<LockFile>;
  try {
    held = lock(path);
  } catch (cause) {
    throw unusable(`The master key file ${name} cannot be replaced: ${(cause as Error).message}. ${BY_HAND}`, cause);
  }
  if (held !== null) return held;
  throw unusable(`Another process replaces the master key file ${name} just now. Nothing was done: rotate again.`);
}

/** The keys that a command printed just now. */
export function commandSource(keys: readonly [MasterKey, ...MasterKey[]]): RotationSource {
  return { name: 'RUNGATE_MASTER_KEY_COMMAND', keys: () => keys, adding: null, warnings: [] };
}

/** Makes a key that nobody has had before. */
export function makeKey(random: Random): WrittenKey {
  const text = new Secret(Buffer.from(random.bytes(KEY_BYTES)).toString('base64'));
  return { text, key: parseMasterKeys(text, 'The new master key')[0] };
}

/** Reads the one key of a file that an operator has made. Throws `vault_unavailable`. */
export async function readNewKey(file: string): Promise<WrittenKey> {
  const keys = await readMasterKeyFile(file);
  if (keys === null) throw unusable(`There is no file ${file} with a new master key.`);
  const [key, ...others] = keys;
  if (others.length > 0) throw unusable(`The file ${file} holds ${keys.length} keys; a new master key is exactly one.`);
  return { text: new Secret(key.secret.export().toString('base64')), key };
}

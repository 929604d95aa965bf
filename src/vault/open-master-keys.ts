import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { MASTER_KEY_FILE } from '../core/master-key-file.ts';
import type { Random } from '../core/random.ts';
import type { Secret } from '../core/secret.ts';
import { fixedMasterKeys, parseMasterKeys, unusable, type MasterKeys } from './master-key.ts';
import { masterKeysByCommand, runMasterKeyCommand, type MasterKeyCommand } from './master-key-command.ts';
import { isOpenToOthers, makeMasterKeyFile, masterKeysInFile, readMasterKeyFile } from './master-key-file.ts';
import type { CredentialStore } from './ports.ts';

/** Where the master key comes from. At most one of `value`, `file` and `command` is given. */
export interface MasterKeySettings {
  /** `RUNGATE_MASTER_KEY`. */
  value: Secret | null;
  /** `RUNGATE_MASTER_KEY_FILE`. */
  file: string | null;
  /** `RUNGATE_MASTER_KEY_COMMAND`. */
  command: MasterKeyCommand | null;
  /** Where `master.key` is kept where none is given. */
  dataDir: string;
  /** False where several machines share the database: a key made here would be unknown to the others. */
  mayMake: boolean;
}

export interface MasterKeyParts {
  store: Pick<CredentialStore, 'masterKeys' | 'addMasterKey'>;
  clock: Clock;
  random: Random;
  log: Log;
}

/**
 * Finds the master keys, or makes the first one, and records it in the database. Throws
 * `vault_unavailable` where the database knows a key that is not there: going on would seal new
 * credentials with a key that does not open the old ones. Keys that were retired are not missed.
 */
export async function openMasterKeys(settings: MasterKeySettings, parts: MasterKeyParts): Promise<MasterKeys> {
  const { store } = parts;
  // Before the files: a key is recorded only after its file is there, so what is known here can be found below.
  const known = await store.masterKeys();
  const keys = recording(await findKeys(settings, { known, ...parts }), { store, known });
  for (const fingerprint of known) {
    if ((await keys.find(fingerprint)) === null) throw missing(fingerprint, settings);
  }
  await keys.newest();
  return keys;
}

/** Nothing is sealed with a key that the database does not know: neither a start nor a backup would say that it is needed. */
function recording(
  keys: MasterKeys,
  { store, known }: { store: MasterKeyParts['store']; known: readonly string[] },
): MasterKeys {
  let recorded = known;
  return {
    async newest(retired) {
      const key = await keys.newest(retired);
      if (!recorded.includes(key.fingerprint)) {
        await store.addMasterKey(key.fingerprint);
        recorded = [...recorded, key.fingerprint];
      }
      return key;
    },
    find: (fingerprint) => keys.find(fingerprint),
  };
}

async function findKeys(
  settings: MasterKeySettings,
  { known, clock, random, log }: Omit<MasterKeyParts, 'store'> & { known: readonly string[] },
): Promise<MasterKeys> {
  const { value, file, command, dataDir, mayMake } = settings;
  if ([value, file, command].filter((given) => given !== null).length > 1) throw severalSources();
  if (value !== null) return fixedMasterKeys(parseMasterKeys(value, 'RUNGATE_MASTER_KEY'));
  if (command !== null) {
    const run = () => runMasterKeyCommand(command, { clock });
    return masterKeysByCommand(await run(), { run, clock });
  }
  if (file !== null) {
    const keys = await readMasterKeyFile(file);
    if (keys === null) throw noFile(file);
    await warnOfOthers(file, log);
    return masterKeysInFile(file, keys);
  }
  const own = keyFileOf({ file, dataDir });
  const there = await readMasterKeyFile(own);
  if (there !== null) {
    await warnOfOthers(own, log);
    return masterKeysInFile(own, there);
  }
  if (known[0] !== undefined) throw missing(known[0], settings);
  if (!mayMake)
    throw unusable(
      'This database needs a master key: set RUNGATE_MASTER_KEY_FILE, RUNGATE_MASTER_KEY_COMMAND or RUNGATE_MASTER_KEY.',
    );
  return makeOwn(own, random, log);
}

async function warnOfOthers(file: string, log: Log): Promise<void> {
  if (!(await isOpenToOthers(file).catch(() => false))) return;
  log.warn({ file }, 'the mode of the master key file lets others than its owner at it: chmod 600');
}

async function makeOwn(file: string, random: Random, log: Log): Promise<MasterKeys> {
  const made = await makeMasterKeyFile(file, random);
  const keys = await readMasterKeyFile(file);
  if (keys === null) throw unusable(`The master key file ${file} was removed while it was read.`);
  if (made) {
    const fields = { file, fingerprint: keys[0].fingerprint };
    log.warn(fields, 'made a master key; keep a copy of it apart from the database');
  }
  return masterKeysInFile(file, keys);
}

/** The error of a database whose master key is not at hand. */
export function missing(
  fingerprint: string,
  settings: Pick<MasterKeySettings, 'value' | 'file' | 'command' | 'dataDir'>,
): Error {
  return unusable(
    `The database has secrets under the master key ${fingerprint}, and ${placeOf(settings)}. ` +
      'Put that key back: in the file that RUNGATE_MASTER_KEY_FILE names (several keys, newest first), in what ' +
      `RUNGATE_MASTER_KEY_COMMAND prints, in RUNGATE_MASTER_KEY, or as ${MASTER_KEY_FILE} in the data directory. ` +
      "Commands need the server's settings (RUNGATE_DATA_DIR too). Without the key those secrets cannot be opened.",
  );
}

function placeOf({ value, file, command, dataDir }: Parameters<typeof missing>[1]): string {
  if (value !== null) return 'RUNGATE_MASTER_KEY holds another one';
  if (command !== null) return 'RUNGATE_MASTER_KEY_COMMAND does not print it';
  return `it is not in ${keyFileOf({ file, dataDir })}`;
}

/** The file with the keys, where no setting gives them otherwise. */
export function keyFileOf({ file, dataDir }: Pick<MasterKeySettings, 'file' | 'dataDir'>): string {
  return file ?? join(dataDir, MASTER_KEY_FILE);
}

/** The error of a setting that names no file. */
export function noFile(file: string): Error {
  return unusable(`The master key file ${file} does not exist (RUNGATE_MASTER_KEY_FILE).`);
}

function severalSources(): Error {
  return unusable(
    'Of RUNGATE_MASTER_KEY, RUNGATE_MASTER_KEY_FILE and RUNGATE_MASTER_KEY_COMMAND several are set. Set one.',
  );
}

/** Opens the master keys when they are first needed: commands that only list make no key. */
export function masterKeysOnDemand(open: () => Promise<MasterKeys>): MasterKeys {
  let opened: Promise<MasterKeys> | undefined;
  const keys = () => (opened ??= open());
  return {
    newest: async (retired) => (await keys()).newest(retired),
    find: async (fingerprint) => (await keys()).find(fingerprint),
  };
}

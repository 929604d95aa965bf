import { join } from 'node:path';
import type { Log } from '../core/log.ts';
import type { Random } from '../core/random.ts';
import type { Secret } from '../core/secret.ts';
import { fixedMasterKeys, parseMasterKeys, unusable, type MasterKeys } from './master-key.ts';
import { makeMasterKeyFile, masterKeysInFile, readMasterKeyFile } from './master-key-file.ts';
import type { CredentialStore } from './ports.ts';

/** Where the master key comes from. At most one of `value` and `file` is given. */
export interface MasterKeySettings {
  /** `RUNGATE_MASTER_KEY`. */
  value: Secret | null;
  /** `RUNGATE_MASTER_KEY_FILE`. */
  file: string | null;
  /** Where `master.key` is kept where neither is given. */
  dataDir: string;
  /** False where several machines share the database: a key made here would be unknown to the others. */
  mayMake: boolean;
}

/**
 * Finds the master keys, or makes the first one, and records it in the database. Throws
 * `vault_unavailable` where the database knows a key that is not there: going on would seal new
 * credentials with a key that does not open the old ones.
 */
export async function openMasterKeys(
  settings: MasterKeySettings,
  { store, random, log }: { store: Pick<CredentialStore, 'masterKeys' | 'addMasterKey'>; random: Random; log: Log },
): Promise<MasterKeys> {
  // Before the files: a key is recorded only after its file is there, so what is known here can be found below.
  const known = await store.masterKeys();
  const keys = await findKeys(settings, { known, random, log });
  for (const fingerprint of known) {
    if ((await keys.find(fingerprint)) === null) throw missing(fingerprint, settings);
  }
  const { fingerprint } = await keys.newest();
  if (!known.includes(fingerprint)) await store.addMasterKey(fingerprint);
  return keys;
}

async function findKeys(
  settings: MasterKeySettings,
  { known, random, log }: { known: readonly string[]; random: Random; log: Log },
): Promise<MasterKeys> {
  const { value, file, dataDir, mayMake } = settings;
  if (value !== null && file !== null) {
    throw unusable('RUNGATE_MASTER_KEY and RUNGATE_MASTER_KEY_FILE are both set. Set one of them.');
  }
  if (value !== null) return fixedMasterKeys(parseMasterKeys(value, 'RUNGATE_MASTER_KEY'));
  if (file !== null) {
    const keys = await readMasterKeyFile(file);
    if (keys === null) throw unusable(`The master key file ${file} does not exist (RUNGATE_MASTER_KEY_FILE).`);
    return masterKeysInFile(file, keys);
  }
  const own = join(dataDir, 'master.key');
  const there = await readMasterKeyFile(own);
  if (there !== null) return masterKeysInFile(own, there);
  if (known[0] !== undefined) throw missing(known[0], settings);
  if (!mayMake) throw unusable('This database needs a master key: set RUNGATE_MASTER_KEY or RUNGATE_MASTER_KEY_FILE.');
  return makeOwn(own, random, log);
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

function missing(fingerprint: string, { value, file, dataDir }: MasterKeySettings): Error {
  const place =
    value !== null ? 'RUNGATE_MASTER_KEY holds another one' : `it is not in ${file ?? join(dataDir, 'master.key')}`;
  return unusable(
    `The database has credentials under the master key ${fingerprint}, and ${place}. ` +
      'Put that key back: in the file that RUNGATE_MASTER_KEY_FILE names (several keys, newest first), ' +
      'or in RUNGATE_MASTER_KEY. Without it those credentials cannot be opened.',
  );
}

/** Opens the master keys when they are first needed: commands that only list make no key. */
export function masterKeysOnDemand(open: () => Promise<MasterKeys>): MasterKeys {
  let opened: Promise<MasterKeys> | undefined;
  const keys = () => (opened ??= open());
  return {
    newest: async () => (await keys()).newest(),
    find: async (fingerprint) => (await keys()).find(fingerprint),
  };
}

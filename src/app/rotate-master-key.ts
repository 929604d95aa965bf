import type { Environment } from '../config/environment.ts';
import { settingsFor, type Settings } from '../config/load-settings.ts';
import type { Deed } from '../core/audited.ts';
import { systemClock as clock } from '../core/clock.ts';
import { createSystemRandom } from '../core/random.ts';
import { openStore, type Store } from '../store/open-store.ts';
import { tryServeLock } from '../store/sqlite/serve-lock.ts';
import { runMasterKeyCommand } from '../vault/master-key-command.ts';
import { unusable } from '../vault/master-key.ts';
import { keyFileOf, missing, noFile } from '../vault/open-master-keys.ts';
import { planRotation, rotateMasterKey, type Rotation, type RotationPlan } from '../vault/rotate-master-key.ts';
import { commandSource, openFileSource, readNewKey, type RotationSource } from '../vault/rotation-source.ts';
import { commandActor, createAudited } from './audit.ts';
import { commandLog, type LogTarget } from './command-log.ts';
import { masterKeySource } from './master-key-source.ts';

export interface RotationRequest {
  environment: Environment;
  /** Works in the sandbox's data directory. */
  sandbox: boolean;
  /** A file with the new key; null: one is made, or an unfinished rotation goes on. */
  newKeyFile: string | null;
  logTo: LogTarget;
}

export interface RotatedMasterKey extends Rotation {
  /** Where the master keys are: a file's path, or a setting's name. */
  source: string;
  warnings: readonly string[];
}

export type RotateMasterKey = (request: RotationRequest) => Promise<RotatedMasterKey>;

const IN_THE_ENVIRONMENT = `The master key comes from RUNGATE_MASTER_KEY, which no command can change. Move it into a file first:
1. Write it there, readable by the server's user alone: (umask 077 && printenv RUNGATE_MASTER_KEY > /etc/rungate/master.key)
2. Where the server gets its settings, and in this shell, unset RUNGATE_MASTER_KEY and set RUNGATE_MASTER_KEY_FILE=/etc/rungate/master.key
3. Restart the server. It is the same key: everything opens as before.
4. Run it again: rungate vault rotate`;

/**
 * Rotates the master key of the store that the environment names, while a server may be using it. Throws
 * `vault_unavailable` where the key cannot be rotated, and says what to do.
 */
export const openAndRotateMasterKey: RotateMasterKey = async (request) => {
  const { environment, sandbox, newKeyFile, logTo } = request;
  const settings = settingsFor(environment, { sandbox });
  if (settings.masterKey.value !== null) throw unusable(IN_THE_ENVIRONMENT);
  const newKey = newKeyFile === null ? null : await readNewKey(newKeyFile);
  const log = commandLog(settings, logTo);
  const store = await openStore({ url: settings.databaseUrl, role: 'command', absent: 'refuse', clock, log });
  try {
    const source = await openSource(settings, { environment, store });
    const parts = { store, source, clock, random: createSystemRandom() };
    const plan = await planRotation(parts, { newKey });
    const audited = createAudited({ store: store.audit, clock, log });
    const rotation = await audited(deedOf(plan), () => rotateMasterKey(plan, parts));
    return { ...rotation, source: source.name, warnings: source.warnings };
  } finally {
    await store.close();
  }
};

/** Fingerprints name master keys; nothing of a key can be told from one. */
function deedOf({ to, from, added }: RotationPlan): Deed {
  const details = { from: [...from], added: added !== null };
  return { actor: commandActor(), action: 'master_key.rotate', target: { type: 'master_key', id: to }, details };
}

async function openSource(
  settings: Settings,
  { environment, store }: { environment: Environment; store: Pick<Store, 'credentials'> },
): Promise<RotationSource> {
  const { file, command, dataDir } = masterKeySource(settings, { environment, mayMake: false });
  if (command !== null) return commandSource(await runMasterKeyCommand(command, { clock }));
  const name = keyFileOf({ file, dataDir });
  const source = await openFileSource(name, { lock: lockFile });
  if (source !== null) return source;
  if (file !== null) throw noFile(file);
  const [known] = await store.credentials.masterKeys();
  if (known !== undefined) throw missing(known, { value: null, file, command, dataDir });
  throw unusable(`There is no master key in ${name} yet, so there is nothing to rotate.`);
}

/** The lock goes with its process, however that dies. */
function lockFile(path: string): { release(): void } | null {
  const lock = tryServeLock(path);
  return lock === null ? null : { release: () => lock.discard() };
}

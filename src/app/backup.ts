import { resolve } from 'node:path';
import type { Environment } from '../config/environment.ts';
import { settingsFor, type Settings } from '../config/load-settings.ts';
import type { Deed } from '../core/audited.ts';
import { systemClock as clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { createSystemRandom } from '../core/random.ts';
import { backUpStore, hasCurrentSchema, restoreStore, type BackupFacts } from '../store/back-up-store.ts';
import { openStore } from '../store/open-store.ts';
import { openMasterKeys } from '../vault/open-master-keys.ts';
import { commandActor, createAudited } from './audit.ts';
import { commandLog, type LogTarget } from './command-log.ts';
import { doubtUnsentStarts } from './doubt-unsent-starts.ts';
import { masterKeySource } from './master-key-source.ts';

interface Where {
  environment: Environment;
  /** Works in the sandbox's data directory. */
  sandbox: boolean;
  file: string;
}

export type BackUp = (request: Where & { force: boolean; logTo: LogTarget }) => Promise<BackupFacts>;

/** Copies the store that the environment names into a file, while a server may be using it. */
export const backUp: BackUp = async ({ environment, sandbox, file, force, logTo }) => {
  const settings = settingsFor(environment, { sandbox });
  const url = settings.databaseUrl;
  const make = async () => backUpStore({ url, file, force });
  // One of an older version has no audit log that could be written, and whoever backs it up wants it as it is.
  if (!hasCurrentSchema(url)) return make();
  const log = commandLog(settings, logTo);
  const store = await openStore({ url, role: 'command', clock, log });
  try {
    const audited = createAudited({ store: store.audit, clock, log });
    return await audited(deedOf('backup.create', file), make);
  } finally {
    await store.close();
  }
};

function deedOf(action: 'backup.create' | 'backup.restore', file: string): Deed {
  return { actor: commandActor(), action, target: { type: 'store', id: 'database' }, details: { file: resolve(file) } };
}

export interface Restored {
  database: string;
  /** Where the replaced database is; null where there was none. */
  kept: string | null;
  runs: number;
  /** Runs that had not been sent when the backup was made. */
  doubted: number;
  masterKeys: readonly string[];
}

export type RestoreBackup = (request: Where & { logTo: LogTarget }) => Promise<Restored>;

/**
 * Puts a backup into the place of the store that the environment names. Throws, with nothing done, where a server
 * is running on it, the file is no good backup, or a master key that it needs is not at hand.
 */
export const restoreBackup: RestoreBackup = async ({ environment, sandbox, file, logTo }) => {
  const settings = settingsFor(environment, { sandbox });
  const log = commandLog(settings, logTo);
  const stamp = new Date(clock.now()).toISOString().replaceAll(':', '-');
  const restore = restoreStore({ url: settings.databaseUrl, file, stamp });
  try {
    const doubted = await prepare(restore.stagedUrl, {
      settings,
      environment,
      log,
      masterKeys: restore.facts.masterKeys,
      file,
    });
    const kept = restore.install();
    const { runs, masterKeys } = restore.facts;
    return { database: settings.databaseUrl.slice('sqlite:'.length), kept, runs, doubted, masterKeys };
  } finally {
    restore.close();
  }
};

/** Migrates the copy, proves that its credentials can be opened, and sees that no start is sent twice. */
async function prepare(
  url: string,
  {
    settings,
    environment,
    log,
    masterKeys,
    file,
  }: {
    settings: Settings;
    environment: Environment;
    log: Log;
    masterKeys: readonly string[];
    file: string;
  },
): Promise<number> {
  const store = await openStore({ url, role: 'serve', writer: 'inline', clock, log, limits: { watchIntervalMs: 0 } });
  try {
    if (masterKeys.length > 0) {
      const source = masterKeySource(settings, { environment, mayMake: false });
      await openMasterKeys(source, { store: store.credentials, clock, random: createSystemRandom(), log });
    }
    // Into the copy, which has no place yet: the log that goes on from here tells where it came from.
    const audited = createAudited({ store: store.audit, clock, log });
    return await audited(deedOf('backup.restore', file), () => doubtUnsentStarts({ store: store.runs, clock, log }));
  } finally {
    await store.close();
  }
}

import type { Environment } from '../config/environment.ts';
import type { Settings } from '../config/load-settings.ts';
import type { MasterKeySettings } from '../vault/open-master-keys.ts';

/** Where the settings say that the master keys are. A command finds what this process was started with. */
export function masterKeySource(
  { masterKey, dataDir }: Pick<Settings, 'masterKey' | 'dataDir'>,
  { environment, mayMake }: { environment: Environment; mayMake: boolean },
): MasterKeySettings {
  const { value, file, command } = masterKey;
  return { value, file, command: command === null ? null : { command, environment }, dataDir, mayMake };
}

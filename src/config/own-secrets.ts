import { join, resolve } from 'node:path';
import { MASTER_KEY_FILE } from '../core/master-key-file.ts';
import { variable, type Environment } from './environment.ts';
import { CLIENT_VARIABLES, LATER_VARIABLES, SETTING_VARIABLES } from './setting-variables.ts';
import { TEXT_SETTINGS } from './text-settings.ts';
import { VAULT_SETTINGS } from './vault-settings.ts';

/** What a fault says of a reference to one; it goes on after "it" or "this". */
export const OWN_SECRET = 'is a setting or secret of Rungate’s own, which no vendor may see';

const OWN_VARIABLES: ReadonlySet<string> = new Set([...SETTING_VARIABLES, ...LATER_VARIABLES, ...CLIENT_VARIABLES]);

/** Whether a variable means something to Rungate itself, in capitals or not: some systems make no difference. */
export function isOwnVariable(name: string): boolean {
  return OWN_VARIABLES.has(name.toUpperCase());
}

/** The files, as absolute paths, in which this environment has the master key and what Rungate shows the secrets server. */
export function ownSecretFiles(environment: Environment): string[] {
  const dataDir = variable(environment, TEXT_SETTINGS.dataDir.variable) ?? TEXT_SETTINGS.dataDir.default;
  const named = [TEXT_SETTINGS.masterKeyFile, VAULT_SETTINGS.tokenFile, VAULT_SETTINGS.secretIdFile].flatMap(
    (setting) => variable(environment, setting.variable) ?? [],
  );
  return [join(dataDir, MASTER_KEY_FILE), ...named].map((path) => resolve(path));
}

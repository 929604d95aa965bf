import { LIMIT_SETTINGS } from './limit-settings.ts';
import { TEXT_SETTINGS } from './text-settings.ts';
import { TRACE_SETTINGS } from './trace-settings.ts';
import { VAULT_SETTINGS } from './vault-settings.ts';

/** Variables that are refused rather than ignored, because whoever sets them counts on what they do. */
export const LATER_VARIABLES: readonly string[] = ['RUNGATE_REDIS_URL'];

/** What the documents have callers set; meant for `curl`, and nothing to warn of where a server sees them too. */
export const CLIENT_VARIABLES: readonly string[] = ['RUNGATE_URL', 'RUNGATE_KEY'];

/** The names of all variables that mean something. */
export const SETTING_VARIABLES: readonly string[] = [
  ...Object.values(TEXT_SETTINGS).map((setting) => setting.variable),
  ...Object.values(LIMIT_SETTINGS).map((setting) => setting.variable),
  ...Object.values(VAULT_SETTINGS).map((setting) => setting.variable),
  ...Object.values(TRACE_SETTINGS).map((setting) => setting.variable),
];

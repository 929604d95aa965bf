import { join } from 'node:path';
import { Secret } from '../core/secret.ts';
import { ConfigError, type ConfigFault } from './config-error.ts';
import { variable, type Environment } from './environment.ts';
import { didYouMean } from './nearest-name.ts';
import { readBoolean, type SettingReader } from './setting-reader.ts';
import { LIMIT_SETTINGS, type Limits, type LimitSetting } from './limit-settings.ts';
import { CLIENT_VARIABLES, LATER_VARIABLES, SETTING_VARIABLES } from './setting-variables.ts';
import {
  LOG_FORMATS,
  LOG_LEVELS,
  TEXT_SETTINGS,
  type LogFormat,
  type LogLevel,
  type TextSetting,
} from './text-settings.ts';
import { readTraceSettings, type TraceSettings } from './trace-settings.ts';
import { readVaultSettings, type VaultSettings } from './vault-settings.ts';

const HOST = /^[A-Za-z0-9_.:-]{1,253}(%[A-Za-z0-9_.-]{1,32})?$/;
const HOST_NAME = /^[a-z0-9_.-]{1,253}$/;
const ADMIN_HOSTS_MAX = 100;
const BASE64_32_BYTES = /^[A-Za-z0-9+/_-]{43}=?$/;
const DATABASE_FILE = 'rungate.db';
const SANDBOX_DIRECTORY = 'sandbox';

export interface ListenAddress {
  host: string;
  /** 0: any free one. */
  port: number;
}

/** What the environment says. */
export interface Settings {
  /** Only the default path may be absent. */
  config: { path: string; mayBeAbsent: boolean };
  dataDir: string;
  /** `sqlite:<path>`. */
  databaseUrl: string;
  /** At most one is given. */
  masterKey: { value: Secret | null; file: string | null; command: Secret | null };
  listen: ListenAddress;
  admin: ListenAddress;
  /** In lower case, without ports. */
  adminHosts: readonly string[];
  /** Whether messages to callers' webhooks may go to addresses that are not public. */
  webhookAllowPrivateNetwork: boolean;
  logLevel: LogLevel;
  logFormat: LogFormat;
  /** Null: nothing is traced. */
  traces: TraceSettings | null;
  /** The server behind `vault:` references; null: none. */
  vault: VaultSettings | null;
  limits: Limits;
  /** Sentences about what is set and does nothing. */
  warnings: readonly string[];
}

/** Reads every setting. Throws `ConfigError` with all faults at once. */
export function loadSettings(environment: Environment): Settings {
  const reader = new SettingsReader(environment);
  const dataDir = reader.text(TEXT_SETTINGS.dataDir) ?? TEXT_SETTINGS.dataDir.default;
  const configPath = reader.text(TEXT_SETTINGS.config);
  const settings: Settings = {
    config: { path: configPath ?? TEXT_SETTINGS.config.default, mayBeAbsent: configPath === undefined },
    dataDir,
    databaseUrl: readDatabaseUrl(reader) ?? databaseUrlIn(dataDir),
    masterKey: readMasterKey(reader),
    listen: { host: readHost(reader, TEXT_SETTINGS.host), port: readPort(reader, TEXT_SETTINGS.port) },
    admin: { host: readHost(reader, TEXT_SETTINGS.adminHost), port: readPort(reader, TEXT_SETTINGS.adminPort) },
    adminHosts: readAdminHosts(reader),
    webhookAllowPrivateNetwork: readBoolean(reader, TEXT_SETTINGS.webhookAllowPrivateNetwork),
    logLevel: readChoice(reader, TEXT_SETTINGS.logLevel, LOG_LEVELS),
    logFormat: readChoice(reader, TEXT_SETTINGS.logFormat, LOG_FORMATS),
    traces: readTraceSettings(reader),
    vault: readVaultSettings(reader),
    limits: readLimits(reader),
    warnings: warningsOf(environment),
  };
  checkListeners(reader, settings);
  for (const name of LATER_VARIABLES) {
    if (variable(environment, name) !== undefined) reader.fault(name, 'not supported by this version; unset it');
  }
  if (reader.faults.length > 0) throw new ConfigError(reader.faults);
  return settings;
}

/** Reads every setting, for the sandbox where that is asked for. Throws `ConfigError` with all faults at once. */
export function settingsFor(environment: Environment, { sandbox }: { sandbox: boolean }): Settings {
  const settings = loadSettings(environment);
  return sandbox ? sandboxSettings(settings) : settings;
}

/** The same settings with a data directory, a database and a master key of their own. */
function sandboxSettings(settings: Settings): Settings {
  const dataDir = join(settings.dataDir, SANDBOX_DIRECTORY);
  return {
    ...settings,
    dataDir,
    databaseUrl: databaseUrlIn(dataDir),
    masterKey: { value: null, file: null, command: null },
  };
}

class SettingsReader implements SettingReader {
  readonly faults: ConfigFault[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  text({ variable: name }: { variable: string }): string | undefined {
    return variable(this.#environment, name);
  }

  fault(name: string, message: string): void {
    this.faults.push({ source: name, line: null, column: null, path: '', message });
  }
}

function databaseUrlIn(dataDir: string): string {
  return `sqlite:${join(dataDir, DATABASE_FILE)}`;
}

/** Faults never quote the URL: another scheme's has a password in it. */
function readDatabaseUrl(reader: SettingsReader): string | undefined {
  const setting = TEXT_SETTINGS.databaseUrl;
  const url = reader.text(setting);
  if (url === undefined) return undefined;
  if (/^postgres(ql)?:/i.test(url)) {
    reader.fault(setting.variable, 'Postgres is not supported by this version; expected sqlite:<path>');
    return undefined;
  }
  const path = /^sqlite:(?:\/\/)?([^?#]+)$/.exec(url)?.[1];
  if (path === undefined || path.startsWith(':')) {
    reader.fault(setting.variable, `expected ${setting.form}, a file`);
    return undefined;
  }
  return `sqlite:${path}`;
}

function readMasterKey(reader: SettingsReader): Settings['masterKey'] {
  const value = reader.text(TEXT_SETTINGS.masterKey);
  const file = reader.text(TEXT_SETTINGS.masterKeyFile);
  const command = reader.text(TEXT_SETTINGS.masterKeyCommand);
  const name = TEXT_SETTINGS.masterKey.variable;
  if (value !== undefined && !BASE64_32_BYTES.test(value)) {
    reader.fault(name, `expected ${TEXT_SETTINGS.masterKey.form}; make one with: openssl rand -base64 32`);
  }
  const { masterKey, masterKeyFile, masterKeyCommand } = TEXT_SETTINGS;
  const [first, ...others] = [masterKey, masterKeyFile, masterKeyCommand].filter(
    (one) => reader.text(one) !== undefined,
  );
  if (first !== undefined && others.length > 0) {
    reader.fault(
      first.variable,
      `expected either this or ${others.map(({ variable: other }) => other).join(' or ')}, not both`,
    );
  }
  return {
    value: value === undefined ? null : new Secret(value),
    file: file ?? null,
    command: command === undefined ? null : new Secret(command),
  };
}

function readHost(reader: SettingsReader, setting: TextSetting & { default: string }): string {
  const host = reader.text(setting) ?? setting.default;
  if (!HOST.test(host)) reader.fault(setting.variable, `expected ${setting.form}, without scheme or port`);
  return host;
}

function readAdminHosts(reader: SettingsReader): string[] {
  const setting = TEXT_SETTINGS.adminHosts;
  const names = (reader.text(setting) ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
  if (names.length > ADMIN_HOSTS_MAX || !names.every((name) => HOST_NAME.test(name))) {
    reader.fault(setting.variable, `expected at most ${ADMIN_HOSTS_MAX} ${setting.form}, without scheme or port`);
  }
  return names;
}

function readPort(reader: SettingsReader, setting: TextSetting & { default: string }): number {
  const text = reader.text(setting) ?? setting.default;
  const port = wholeNumber(text);
  if (port !== null && port <= 65_535) return port;
  // Kubernetes gives every pod beside a Service named `rungate` a RUNGATE_PORT of its own.
  const hint = text.startsWith('tcp://')
    ? '; Kubernetes sets it for a Service named rungate: set the port yourself'
    : '';
  reader.fault(setting.variable, `expected ${setting.form}${hint}`);
  return 0;
}

function readChoice<T extends string>(
  reader: SettingsReader,
  setting: TextSetting & { default: NoInfer<T> },
  choices: readonly T[],
): T {
  const text = (reader.text(setting) ?? setting.default).toLowerCase();
  const choice = choices.find((known) => known === text);
  if (choice === undefined) reader.fault(setting.variable, `expected ${setting.form}`);
  return choice ?? setting.default;
}

function readLimits(reader: SettingsReader): Limits {
  const values = Object.entries(LIMIT_SETTINGS).map(([name, setting]) => [name, readLimit(reader, setting)]);
  return Object.fromEntries(values) as Limits;
}

function readLimit(reader: SettingsReader, setting: LimitSetting): number {
  const text = reader.text(setting);
  if (text === undefined) return setting.default;
  const value = wholeNumber(text);
  if (value !== null && value >= setting.min && value <= setting.max) return value;
  const unit = setting.unit === 'count' ? '' : ` (${setting.unit})`;
  reader.fault(setting.variable, `expected a whole number from ${setting.min} to ${setting.max}${unit}`);
  return setting.default;
}

function wholeNumber(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function checkListeners(reader: SettingsReader, { listen, admin }: Settings): void {
  if (listen.port !== 0 && listen.port === admin.port && listen.host === admin.host) {
    reader.fault(TEXT_SETTINGS.adminPort.variable, 'expected another address than that of the runs API');
  }
}

/** A misspelt setting would otherwise be a setting that silently does nothing. */
function warningsOf(environment: Environment): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('RUNGATE_') && variable(environment, name) !== undefined)
    .filter((name) => ![...SETTING_VARIABLES, ...LATER_VARIABLES, ...CLIENT_VARIABLES].includes(name))
    .sort()
    .map((name) => `${name} is no setting and does nothing${didYouMean(name, SETTING_VARIABLES)}`);
}

import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { loadSettings, settingsFor } from '../../../src/config/load-settings.ts';
import { LIMIT_SETTINGS } from '../../../src/config/limit-settings.ts';
import { SETTING_VARIABLES } from '../../../src/config/setting-variables.ts';

const KEY = randomBytes(32).toString('base64');

function faultsOf(environment: Record<string, string>): [string, string][] {
  try {
    loadSettings(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ source, message }) => [source, message]);
    throw error;
  }
  return [];
}

describe('settings', () => {
  it('have the contract’s defaults', () => {
    expect(loadSettings({})).toEqual({
      config: { path: './rungate.yaml', mayBeAbsent: true },
      dataDir: './data',
      databaseUrl: 'sqlite:data/rungate.db',
      masterKey: { value: null, file: null, command: null },
      listen: { host: '127.0.0.1', port: 8080 },
      admin: { host: '127.0.0.1', port: 8081 },
      adminHosts: [],
      webhookAllowPrivateNetwork: false,
      logLevel: 'info',
      logFormat: 'auto',
      traces: null,
      vault: null,
      limits: {
        vaultCacheS: 60,
        vaultOutageS: 600,
        vaultTimeoutMs: 5000,
        bodyBytesMax: 1_048_576,
        answerBytesMax: 10_485_760,
        startsMax: 1000,
        queuedMax: 10_000,
        overloadAtOnceMax: 256,
        overloadDelayMs: 3,
        overloadMemoryPercent: 85,
        overloadStorePercent: 50,
        pollsMax: 64,
        pollsPerProviderMax: 16,
        deltaGroupMs: 50,
        deltaGroupBytes: 4096,
        readerBufferBytes: 262_144,
        slowReaderS: 30,
        deliveriesMax: 32,
        storeQueueMax: 10_000,
        clientConnectionsMax: 20_000,
        connectionsMax: 1000,
        connectTimeoutMs: 10_000,
        headersTimeoutMs: 30_000,
        idleTimeoutMs: 30_000,
        totalTimeoutMs: 3_600_000,
        retriesMax: 2,
        retryBudgetPercent: 10,
        breakerCallsMin: 20,
        breakerFailurePercent: 50,
        breakerWindowS: 30,
        breakerOpenS: 15,
        drainTimeoutS: 30,
        retentionDays: 30,
      },
      warnings: [],
    });
  });

  it('are read from the environment, and an empty variable is as good as none', () => {
    const settings = loadSettings({
      RUNGATE_CONFIG: '/etc/rungate.yaml',
      RUNGATE_DATA_DIR: '/var/lib/rungate',
      RUNGATE_MASTER_KEY: KEY,
      RUNGATE_MASTER_KEY_FILE: '',
      RUNGATE_HOST: '0.0.0.0',
      RUNGATE_PORT: '0',
      RUNGATE_ADMIN_HOST: '::1',
      RUNGATE_ADMIN_PORT: ' 9000 ',
      RUNGATE_ADMIN_HOSTS: 'Admin.example.com, gateway.internal',
      RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK: 'true',
      RUNGATE_LOG_LEVEL: 'DEBUG',
      RUNGATE_DRAIN_TIMEOUT_S: '0',
    });
    expect(settings).toMatchObject({
      config: { path: '/etc/rungate.yaml', mayBeAbsent: false },
      databaseUrl: 'sqlite:/var/lib/rungate/rungate.db',
      listen: { host: '0.0.0.0', port: 0 },
      admin: { host: '::1', port: 9000 },
      adminHosts: ['admin.example.com', 'gateway.internal'],
      webhookAllowPrivateNetwork: true,
      logLevel: 'debug',
      limits: { drainTimeoutS: 0 },
    });
    expect(settings.masterKey.value?.open()).toBe(KEY);
    expect(inspect(settings, { depth: 9 }) + JSON.stringify(settings)).not.toContain(KEY);
  });

  it.each([
    ['sqlite:./x.db', 'sqlite:./x.db'],
    ['sqlite:///var/x.db', 'sqlite:/var/x.db'],
    ['sqlite:/var/x.db', 'sqlite:/var/x.db'],
  ])('take %s as a database', (url, expected) => {
    expect(loadSettings({ RUNGATE_DATABASE_URL: url }).databaseUrl).toBe(expected);
  });

  it.each([
    [
      'RUNGATE_ADMIN_HOSTS',
      'http://admin.example.com',
      'expected at most 100 host names, separated by commas, without scheme or port',
    ],
    [
      'RUNGATE_ADMIN_HOSTS',
      'admin.example.com:8081',
      'expected at most 100 host names, separated by commas, without scheme or port',
    ],
    ['RUNGATE_PORT', '65536', 'expected a port, 0 to 65535'],
    ['RUNGATE_PORT', '-1', 'expected a port, 0 to 65535'],
    ['RUNGATE_ADMIN_PORT', '80.5', 'expected a port, 0 to 65535'],
    [
      'RUNGATE_PORT',
      'tcp://10.0.0.1:80',
      'expected a port, 0 to 65535; Kubernetes sets it for a Service named rungate: set the port yourself',
    ],
    ['RUNGATE_ADMIN_PORT', '8080', 'expected another address than that of the runs API'],
    ['RUNGATE_HOST', 'http://x', 'expected an IP address or a host name, without scheme or port'],
    ['RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK', 'yes', 'expected true or false'],
    ['RUNGATE_LOG_LEVEL', 'loud', 'expected debug, info, warn, error or silent'],
    ['RUNGATE_DATABASE_URL', 'mysql://u:hunter2@h/d', 'expected sqlite:<path>, a file'],
    ['RUNGATE_DATABASE_URL', 'sqlite::memory:', 'expected sqlite:<path>, a file'],
    ['RUNGATE_DATABASE_URL', 'sqlite:', 'expected sqlite:<path>, a file'],
    [
      'RUNGATE_DATABASE_URL',
      'postgres://u:hunter2@h/d',
      'Postgres is not supported by this version; expected sqlite:<path>',
    ],
    ['RUNGATE_REDIS_URL', 'redis://:hunter2@h', 'not supported by this version; unset it'],
    ['RUNGATE_MASTER_KEY', 'hunter2', 'expected 32 bytes in base64; make one with: openssl rand -base64 32'],
    ['RUNGATE_RETENTION_DAYS', '0', 'expected a whole number from 1 to 3650 (days)'],
    ['RUNGATE_STARTS_MAX', '1e3', 'expected a whole number from 1 to 100000'],
    ['RUNGATE_BODY_BYTES_MAX', '1MiB', 'expected a whole number from 1024 to 67108864 (bytes)'],
  ])('refuse %s=%s and never show it', (name, value, message) => {
    expect(faultsOf({ [name]: value })).toEqual([[name, message]]);
    expect(message).not.toContain('hunter2');
  });

  it('name all faults at once', () => {
    const faults = faultsOf({
      RUNGATE_PORT: 'x',
      RUNGATE_POLLS_MAX: 'many',
      RUNGATE_MASTER_KEY: KEY,
      RUNGATE_MASTER_KEY_FILE: '/key',
      RUNGATE_REDIS_URL: 'redis://h',
    });
    expect(faults.map(([source]) => source).sort()).toEqual([
      'RUNGATE_MASTER_KEY',
      'RUNGATE_POLLS_MAX',
      'RUNGATE_PORT',
      'RUNGATE_REDIS_URL',
    ]);
  });

  it('take the master key from one place, and never quote the command', () => {
    const [KEY_FILE, COMMAND] = ['RUNGATE_MASTER_KEY_FILE', 'RUNGATE_MASTER_KEY_COMMAND'];
    const settings = loadSettings({ [COMMAND]: 'show-key --token hunter2' });
    expect(settings.masterKey).toMatchObject({ value: null, file: null });
    expect(settings.masterKey.command?.open()).toBe('show-key --token hunter2');
    expect(JSON.stringify(settings)).not.toContain('hunter2');
    const given = { RUNGATE_MASTER_KEY: KEY, [KEY_FILE]: '/key', [COMMAND]: 'show-key' };
    expect(faultsOf(given)).toEqual([
      ['RUNGATE_MASTER_KEY', expect.stringContaining(`${KEY_FILE} or ${COMMAND}, not both`)],
    ]);
    expect(faultsOf({ ...given, RUNGATE_MASTER_KEY: '' })).toEqual([[KEY_FILE, expect.stringContaining(COMMAND)]]);
  });

  it('warn of variables that do nothing, with a guess', () => {
    expect(loadSettings({ RUNGATE_POT: '1', RUNGATE_COLOUR: 'red', PATH: '/bin' }).warnings).toEqual([
      'RUNGATE_COLOUR is no setting and does nothing',
      'RUNGATE_POT is no setting and does nothing; did you mean RUNGATE_PORT?',
    ]);
  });

  it('give the sandbox a place of its own', () => {
    const environment = {
      RUNGATE_DATA_DIR: '/d',
      RUNGATE_DATABASE_URL: 'sqlite:/elsewhere.db',
      RUNGATE_MASTER_KEY: KEY,
    };
    expect(settingsFor(environment, { sandbox: false })).toEqual(loadSettings(environment));
    expect(settingsFor(environment, { sandbox: true })).toMatchObject({
      dataDir: '/d/sandbox',
      databaseUrl: 'sqlite:/d/sandbox/rungate.db',
      masterKey: { value: null, file: null, command: null },
    });
  });
});

describe('the table of limits', () => {
  it.each(Object.entries(LIMIT_SETTINGS))('has %s in one form', (name, setting) => {
    expect(setting.default).toBeGreaterThanOrEqual(setting.min);
    expect(setting.default).toBeLessThanOrEqual(setting.max);
    expect(setting.docs).toMatch(/\.$/);
    const words = name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    expect(setting.variable).toBe(`RUNGATE_${words}`);
    expect(setting.variable).toMatch(
      {
        bytes: /_BYTES(_|$)/,
        ms: /_MS$/,
        s: /_S$/,
        days: /_DAYS$/,
        count: /_(MAX|MIN)$/,
        percent: /_PERCENT$/,
      }[setting.unit],
    );
  });

  it('names each variable once', () => {
    expect(new Set(SETTING_VARIABLES).size).toBe(SETTING_VARIABLES.length);
  });
});

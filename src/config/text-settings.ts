/** A setting that is no bound. */
export interface TextSetting {
  readonly variable: `RUNGATE_${string}` | `OTEL_${string}`;
  /** What a value looks like, for the documents and for faults. */
  readonly form: string;
  /** As a person would write it; null: none. */
  readonly default: string | null;
  /** Never shown, not even in a fault. */
  readonly secret: boolean;
  readonly docs: string;
}

/** Every setting that is no bound, but for those of traces and of `vault:` references. */
export const TEXT_SETTINGS = {
  config: {
    variable: 'RUNGATE_CONFIG',
    form: 'a path',
    default: './rungate.yaml',
    secret: false,
    docs: 'The configuration of providers and workflows. Only the default path may be absent.',
  },
  dataDir: {
    variable: 'RUNGATE_DATA_DIR',
    form: 'a path',
    default: './data',
    secret: false,
    docs: 'Where the database and the master key are kept.',
  },
  databaseUrl: {
    variable: 'RUNGATE_DATABASE_URL',
    form: 'sqlite:<path>',
    default: 'sqlite:$RUNGATE_DATA_DIR/rungate.db',
    // Of another scheme it would carry a password.
    secret: true,
    docs: 'The database.',
  },
  masterKey: {
    variable: 'RUNGATE_MASTER_KEY',
    form: '32 bytes in base64',
    default: null,
    secret: true,
    docs: 'What secrets are encrypted with. It may come from one of three places: this, `RUNGATE_MASTER_KEY_FILE` or `RUNGATE_MASTER_KEY_COMMAND`; without all, a key is made in the data directory. A key that is given here cannot be [rotated](operations.md#rotating-the-master-key) by a command.',
  },
  masterKeyFile: {
    variable: 'RUNGATE_MASTER_KEY_FILE',
    form: 'a path',
    default: null,
    secret: false,
    docs: 'A file with one or more master keys, newest first, one a line. It is read again when a key is met that was not in it.',
  },
  masterKeyCommand: {
    variable: 'RUNGATE_MASTER_KEY_COMMAND',
    form: 'a command for `sh -c`',
    default: null,
    // Its own text is seen by whoever lists processes; what is written into it by mistake is not to spread further.
    secret: true,
    docs: 'A command that prints one or more master keys, newest first, one a line, within 10 s, and exits with 0. It runs at the start, and again, every 2 s at most, when a key is met that it did not print. What it prints is never shown; of a failure its exit status and the first line of its standard error are, in the log and at the command line. Its own text is visible to whoever may list processes: keep secrets out of it.',
  },
  host: {
    variable: 'RUNGATE_HOST',
    form: 'an IP address or a host name',
    default: '127.0.0.1',
    secret: false,
    docs: 'Where the runs API listens.',
  },
  port: {
    variable: 'RUNGATE_PORT',
    form: 'a port, 0 to 65535',
    default: '8080',
    secret: false,
    docs: 'The runs API’s port; 0 takes any free one.',
  },
  adminHost: {
    variable: 'RUNGATE_ADMIN_HOST',
    form: 'an IP address or a host name',
    default: '127.0.0.1',
    secret: false,
    docs: 'Where the [admin API](admin-api.md) listens. Beyond loopback, the log warns of it: let only a proxy with TLS reach it.',
  },
  adminPort: {
    variable: 'RUNGATE_ADMIN_PORT',
    form: 'a port, 0 to 65535',
    default: '8081',
    secret: false,
    docs: 'The admin listener’s port; 0 takes any free one.',
  },
  adminHosts: {
    variable: 'RUNGATE_ADMIN_HOSTS',
    form: 'host names, separated by commas',
    default: null,
    secret: false,
    docs: 'Names by which the admin API may be asked while it listens on loopback, such as that of a proxy on this machine that passes `Host` on. IP addresses and `localhost` always may be; any other `Host` is refused with `forbidden`, so that no web page can reach it through a name of its own.',
  },
  webhookAllowPrivateNetwork: {
    variable: 'RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK',
    form: 'true or false',
    default: 'false',
    secret: false,
    docs: 'Whether callers’ webhooks may be at private, loopback and link-local addresses. Everybody with a key can then have this machine post to them.',
  },
  logLevel: {
    variable: 'RUNGATE_LOG_LEVEL',
    form: 'debug, info, warn, error or silent',
    default: 'info',
    secret: false,
    docs: 'The least important log lines that are written.',
  },
  logFormat: {
    variable: 'RUNGATE_LOG_FORMAT',
    form: 'auto, json or text',
    default: 'auto',
    secret: false,
    docs: 'How log lines are written: as JSON, or short and readable. `auto`: readable where standard error is a terminal, JSON elsewhere.',
  },
} as const satisfies Record<string, TextSetting>;

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ['auto', 'json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

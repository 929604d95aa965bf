import { TRACE_SETTINGS } from './trace-settings.ts';
import { VAULT_SETTINGS } from './vault-settings.ts';

/** A bound of the process, set by an environment variable. */
export interface LimitSetting {
  readonly variable: `RUNGATE_${string}`;
  readonly unit: 'bytes' | 'ms' | 's' | 'days' | 'count' | 'percent';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** One sentence for the documents. */
  readonly docs: string;
}

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

const KIB = 1024;
const MIB = 1024 * KIB;

/** Every bound. The documents list this table, and a test compares them. */
export const LIMIT_SETTINGS = {
  bodyBytesMax: {
    variable: 'RUNGATE_BODY_BYTES_MAX',
    unit: 'bytes',
    default: MIB,
    min: KIB,
    max: 64 * MIB,
    docs: 'Largest request body; beyond it `payload_too_large`.',
  },
  answerBytesMax: {
    variable: 'RUNGATE_ANSWER_BYTES_MAX',
    unit: 'bytes',
    default: 10 * MIB,
    min: KIB,
    max: 256 * MIB,
    docs: 'Largest answer of a vendor; beyond it `upstream_invalid_response`.',
  },
  startsMax: {
    variable: 'RUNGATE_STARTS_MAX',
    unit: 'count',
    default: 1000,
    min: 1,
    max: 100_000,
    docs: 'Starts in flight at once; runs beyond it stay `queued`.',
  },
  queuedMax: {
    variable: 'RUNGATE_QUEUED_MAX',
    unit: 'count',
    default: 10_000,
    min: 1,
    max: 10_000_000,
    docs: '`queued` runs; beyond it new ones are refused with `overloaded`.',
  },
  pollsMax: {
    variable: 'RUNGATE_POLLS_MAX',
    unit: 'count',
    default: 64,
    min: 1,
    max: 10_000,
    docs: 'Polls, look-ups and cancels in flight at once.',
  },
  pollsPerProviderMax: {
    variable: 'RUNGATE_POLLS_PER_PROVIDER_MAX',
    unit: 'count',
    default: 16,
    min: 1,
    max: 10_000,
    docs: 'Polls, look-ups and cancels in flight at once for one provider, so that a silent vendor holds up nobody else.',
  },
  deltaGroupMs: {
    variable: 'RUNGATE_DELTA_GROUP_MS',
    unit: 'ms',
    default: 50,
    min: 0,
    max: 5_000,
    docs: 'A vendor’s streamed output is gathered for this long before it becomes an event.',
  },
  deltaGroupBytes: {
    variable: 'RUNGATE_DELTA_GROUP_BYTES',
    unit: 'bytes',
    default: 4 * KIB,
    min: 1,
    max: MIB,
    docs: 'Streamed output of this size becomes an event at once.',
  },
  readerBufferBytes: {
    variable: 'RUNGATE_READER_BUFFER_BYTES',
    unit: 'bytes',
    default: 256 * KIB,
    min: 16 * KIB,
    max: 64 * MIB,
    docs: 'Events that wait at most for one reader that is slower than they come; what is beyond is read again when it has caught up.',
  },
  slowReaderS: {
    variable: 'RUNGATE_SLOW_READER_S',
    unit: 's',
    default: 30,
    min: 1,
    max: 3600,
    docs: 'A reader of events that takes nothing for this long is cut off; it comes back with `Last-Event-ID`.',
  },
  deliveriesMax: {
    variable: 'RUNGATE_DELIVERIES_MAX',
    unit: 'count',
    default: 32,
    min: 1,
    max: 10_000,
    docs: 'Webhook messages under way at once.',
  },
  storeQueueMax: {
    variable: 'RUNGATE_STORE_QUEUE_MAX',
    unit: 'count',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    docs: 'Writes that wait for the disk; beyond it `store_unavailable`.',
  },
  overloadDelayMs: {
    variable: 'RUNGATE_OVERLOAD_DELAY_MS',
    unit: 'ms',
    default: 3,
    min: 1,
    max: 60_000,
    docs: 'How late the event loop may be, and how much longer than usual a new run may take to be written, both on average; beyond it fewer are let in at once, and the rest are refused with `overloaded`.',
  },
  overloadAtOnceMax: {
    variable: 'RUNGATE_OVERLOAD_AT_ONCE_MAX',
    unit: 'count',
    default: 256,
    min: 1,
    max: 100_000,
    docs: 'New runs between their request and their commit at once, while nothing is late; beyond it new ones are refused with `overloaded`. Those that were written count no more.',
  },
  overloadStorePercent: {
    variable: 'RUNGATE_OVERLOAD_STORE_PERCENT',
    unit: 'percent',
    default: 50,
    min: 1,
    max: 100,
    docs: 'The share of `RUNGATE_STORE_QUEUE_MAX` beyond which new runs are refused with `overloaded`, so that those under way can still be written.',
  },
  overloadMemoryPercent: {
    variable: 'RUNGATE_OVERLOAD_MEMORY_PERCENT',
    unit: 'percent',
    default: 85,
    min: 10,
    max: 100,
    docs: 'The share of the heap’s limit (Node’s `--max-old-space-size`), buffers included, beyond which new runs are refused with `overloaded`.',
  },
  clientConnectionsMax: {
    variable: 'RUNGATE_CLIENT_CONNECTIONS_MAX',
    unit: 'count',
    default: 20_000,
    min: 1,
    max: 1_000_000,
    docs: 'Connections of callers at once, waiting and streaming ones in; further ones are closed.',
  },
  connectionsMax: {
    variable: 'RUNGATE_CONNECTIONS_MAX',
    unit: 'count',
    default: 1000,
    min: 1,
    max: 100_000,
    docs: 'Connections to one vendor at once; calls beyond it wait for one.',
  },
  connectTimeoutMs: {
    variable: 'RUNGATE_CONNECT_TIMEOUT_MS',
    unit: 'ms',
    default: 10_000,
    min: 100,
    max: 120_000,
    docs: 'Time for a connection to a vendor, name resolution and TLS in; beyond it `upstream_unreachable`.',
  },
  headersTimeoutMs: {
    variable: 'RUNGATE_HEADERS_TIMEOUT_MS',
    unit: 'ms',
    default: 30_000,
    min: 10,
    max: 3_600_000,
    docs: 'Time until the head of a vendor’s answer to a start is there; beyond it `upstream_timeout`. A vendor whose starts block has a longer one of its own; `timeouts.headers_s` of a provider beats both.',
  },
  idleTimeoutMs: {
    variable: 'RUNGATE_IDLE_TIMEOUT_MS',
    unit: 'ms',
    default: 30_000,
    min: 10,
    max: 3_600_000,
    docs: 'How long the body of a vendor’s answer may be silent before it is cut. A vendor whose streams pause for long has a longer one of its own; `timeouts.idle_s` of a provider beats both.',
  },
  totalTimeoutMs: {
    variable: 'RUNGATE_TOTAL_TIMEOUT_MS',
    unit: 'ms',
    default: 3_600_000,
    min: 10,
    max: 86_400_000,
    docs: 'Time for one call of a vendor, from its beginning to the end of its answer; never longer than the run’s deadline. `timeouts.total_s` of a provider beats it.',
  },
  retriesMax: {
    variable: 'RUNGATE_RETRIES_MAX',
    unit: 'count',
    default: 2,
    min: 0,
    max: 10,
    docs: 'How often a start that surely began nothing is sent again to the same place.',
  },
  retryBudgetPercent: {
    variable: 'RUNGATE_RETRY_BUDGET_PERCENT',
    unit: 'percent',
    default: 10,
    min: 0,
    max: 100,
    docs: 'Retries of starts at one provider, as a share of its starts.',
  },
  breakerCallsMin: {
    variable: 'RUNGATE_BREAKER_CALLS_MIN',
    unit: 'count',
    default: 20,
    min: 1,
    max: 1_000_000_000,
    docs: 'So many starts within the window must there be before a circuit breaker may open.',
  },
  breakerFailurePercent: {
    variable: 'RUNGATE_BREAKER_FAILURE_PERCENT',
    unit: 'percent',
    default: 50,
    min: 1,
    max: 100,
    docs: 'The share of failed starts within the window that opens a circuit breaker.',
  },
  breakerWindowS: {
    variable: 'RUNGATE_BREAKER_WINDOW_S',
    unit: 's',
    default: 30,
    min: 1,
    max: 3600,
    docs: 'How far back a circuit breaker looks.',
  },
  breakerOpenS: {
    variable: 'RUNGATE_BREAKER_OPEN_S',
    unit: 's',
    default: 15,
    min: 1,
    max: 3600,
    docs: 'How long an open circuit breaker holds starts back before it lets one through.',
  },
  drainTimeoutS: {
    variable: 'RUNGATE_DRAIN_TIMEOUT_S',
    unit: 's',
    default: 30,
    min: 0,
    max: 3600,
    docs: 'How long a process that was told to stop waits for vendor calls that block; then those runs end with `outcome_unknown`.',
  },
  vaultCacheS: {
    variable: 'RUNGATE_VAULT_CACHE_S',
    unit: 's',
    default: 60,
    min: 1,
    max: 86_400,
    docs: 'How long a secret that was read through a `vault:` reference is used before it is read again.',
  },
  vaultOutageS: {
    variable: 'RUNGATE_VAULT_OUTAGE_S',
    unit: 's',
    default: 600,
    min: 0,
    max: 86_400,
    docs: 'How much longer it is used while the secrets server cannot be reached or refuses; beyond it `vault_unavailable`.',
  },
  vaultTimeoutMs: {
    variable: 'RUNGATE_VAULT_TIMEOUT_MS',
    unit: 'ms',
    default: 5_000,
    min: 100,
    max: 60_000,
    docs: 'Time for one call of the secrets server.',
  },
  retentionDays: {
    variable: 'RUNGATE_RETENTION_DAYS',
    unit: 'days',
    default: 30,
    min: 1,
    max: 3650,
    docs: 'Runs and their payloads are deleted this long after their end.',
  },
} as const satisfies Record<string, LimitSetting>;

/** The value of every bound, in the unit that its name ends with. */
export type Limits = { readonly [Name in keyof typeof LIMIT_SETTINGS]: number };

/** Every other setting. */
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

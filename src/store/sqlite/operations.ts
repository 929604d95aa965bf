import type { Change } from '../../runs/ports.ts';
import type { SealedColumn } from '../../vault/ports.ts';

/** What SQLite takes and gives. */
export type Value = string | number | null | Uint8Array;
export type Row = readonly Value[];

/** Rows of `events`, in order, four values each: seq, type, time, data. */
export type FarEvents = readonly Value[];

/**
 * What the writer can be asked for. Operations are flat arrays of plain values, because they cross a thread:
 * the main thread computes whole rows, the writer only executes prepared statements.
 */
export interface Operations {
  /** Row of `runs`, its claim, its inputs where they are large; what it counts for. */
  create: [
    row: Row,
    claim: ClaimRow | null,
    largeInputs: string | null,
    countedStart: CountedRow | null,
    quota: QuotaRow | null,
    token: TokenRow | null,
  ];
  move: Move;
  /** The same with a claim: both or neither. */
  moveOnce: [claim: ClaimRow, ...move: Move];
  /** Events without their numbers, three values each: type, time, data. */
  append: [id: string, owner: string, events: Row];
  /** An ended run with all that belongs to it, its claims apart. */
  remove: [id: string];
  /** Takes due runs: of a provider, as many as make `max` with those in flight. */
  claim: [owner: string, now: number, limit: number, inFlight: readonly InFlightRow[], max: number];
  /** `wanted`: three values each: provider, lineage, how many runs. */
  claimQueued: [owner: string, wanted: Row];
  unfinished: [];
  reclaim: [owner: string, now: number];
  /** `before`: only runs with a smaller id. */
  release: [owner: string, except: string, now: number, before: string];
  claimDeliveries: [owner: string, now: number, limit: number];
  settleDelivery: [id: string, owner: string, result: SettledRow, afterTries: number | null];
  purgeRuns: [ids: readonly string[], before: number];
  /** Deletes what has served: idempotency rows of before `claimedBefore`, and what ended before `now`. */
  purgeServed: [claimedBefore: number, now: number];
  vacuum: [];
  /** A sealed credential: its row. */
  insertCredential: [row: Row];
  /** A credential with what is known of it. */
  removeCredential: [id: string];
  /** A client key: its row and its origins. */
  insertKey: [row: Row, origins: readonly string[]];
  /** A key that takes another's place: its row and its origins; the other's id and its new end. */
  replaceKey: [successor: Row, origins: readonly string[], id: string, expiresAt: number];
  revokeKey: [id: string, at: number];
  /** Two values each: id, time. */
  useKeys: [uses: Row];
  /** A signing secret that takes the place of its lineage's others: its row, their end at the latest, and now. */
  replaceWebhookSecret: [successor: Row, oldExpiresAt: number, validMax: number, now: number];
  /** A sealed secret that signs tokens: its row. */
  insertSigningKey: [row: Row];
  reseal: [rows: readonly ResealRow[]];
  retireMasterKey: [fingerprint: string, at: number];
  /** An entry's JSON. */
  appendAudit: [entry: string];
  run: [name: PlainStatement, values: Row];
}

export interface OperationResults {
  create: null | { winner: string; run: Row | null } | 'reused' | OverQuota;
  /** The last event's number; null: stale. */
  move: number | null;
  moveOnce: number | null | { winner: string; run: Row | null } | 'reused';
  /** The last event's number; null: stale. */
  append: number | null;
  remove: 'removed' | 'not_ended' | 'unknown';
  claim: Row[];
  claimQueued: Row[];
  /** Five values each: id, status, lineage, provider, credential id. */
  unfinished: Row[];
  /** How many runs and messages. */
  reclaim: number;
  release: number;
  claimDeliveries: Row[];
  /** False: stale. */
  settleDelivery: boolean;
  purgeRuns: number;
  /** True: there may be more. */
  purgeServed: boolean;
  vacuum: number;
  /** `retired`: sealed under a master key that is retired; nothing was written. */
  insertCredential: null | 'retired';
  removeCredential: boolean;
  insertKey: null;
  replaceKey: boolean;
  revokeKey: boolean;
  useKeys: null;
  replaceWebhookSecret: null | 'retired' | 'too_many';
  insertSigningKey: null | 'retired';
  /** How many rows were changed. */
  reseal: number | 'retired';
  /** False: something is sealed under it. */
  retireMasterKey: boolean;
  appendAudit: { seq: number; previous: string; hash: string };
  /** Rows changed. */
  run: number;
}

export type OperationName = keyof Operations;
export type Operation = { [K in OperationName]: [name: K, ...args: Operations[K]] }[OperationName];
export type OperationResult = OperationResults[OperationName];

/** lineage, subject, key, run id, fingerprint, now; and the time before which a served row has expired. */
export type ClaimRow = readonly [string, string, string, string, string, number, number];

export type Move = [
  change: MoveRow,
  events: FarEvents | null,
  largeOutput: string | null,
  giveBackKey: NonNullable<Change['giveBackKey']> | null,
  deliveries: DeliveryRows | null,
  countedStart: CountedRow | null,
];

/** How many runs of a provider somebody asks about. */
export type InFlightRow = readonly [provider: string, runs: number];

/** A start to be remembered. */
export type CountedRow = readonly [at: number, provider: string, credentialId: string];

/** A run is counted on this day, unless its lineage has so many already. */
export type QuotaRow = readonly [day: string, lineage: string, runsMax: number];

export type OverQuota = 'over_quota' | 'over_token_quota';

/** A run is counted for this token, unless it has begun so many already. */
export type TokenRow = readonly [id: string, runsMax: number, expiresAt: number];

/** A sealed value: its column, its row's primary key, what it is now and what it becomes. */
export type ResealRow = readonly [column: SealedColumn, key: Row, before: Uint8Array, after: Uint8Array];

/** Messages of one run, five values each: id, event, snapshot, time of creation, due time. */
export type DeliveryRows = readonly Value[];

/** What became of a try, in the order of the statement that writes it. */
export type SettledRow = readonly [
  status: string,
  lastAt: number,
  lastStatus: number | null,
  lastError: string | null,
  dueAt: number | null,
];

/** Values of the statement that moves a run, in its order. NULL in `pinned`, `output`, `fromOwner`: as it is. */
export type MoveRow = readonly [
  seq: number,
  status: string,
  provider: string,
  workflow: string,
  owner: string | null,
  dueAt: number | null,
  finishedAt: number | null,
  vendorRunId: string | null,
  pinned: string | null,
  state: string,
  output: string | null,
  log: string,
  id: string,
  fromVersion: number,
  fromSeq: number,
  fromOwner: string | null,
];

/** Operations that are one statement. */
export const PLAIN_STATEMENTS = {
  // An ended run is left as it is but for this.
  resolveRun: `UPDATE runs SET version = version + 1, state = json_set(state, '$.resolution', json(?))
    WHERE id = ? AND finished_at IS NOT NULL`,
  beat: `INSERT INTO owners (owner, beat_at, dead) VALUES (?, ?, 0)
    ON CONFLICT (owner) DO UPDATE SET beat_at = excluded.beat_at WHERE dead = 0`,
  giveBackResumeKey: 'DELETE FROM idempotency WHERE lineage = ? AND subject = ? AND key = ? AND run_id = ?',
  hurry: 'UPDATE runs SET due_at = ?1 WHERE id = ?2 AND owner IS NULL AND finished_at IS NULL AND due_at > ?1',
  // A queued run is due at its deadline, which stays where it is.
  hastenRuns: `UPDATE runs SET due_at = max(?1, due_at - ?2)
    WHERE owner IS NULL AND finished_at IS NULL AND due_at > ?1 AND status <> 'queued'`,
  // What was written before the clock went wrong is due when it says.
  hastenDeliveries: `UPDATE deliveries SET due_at = max(?1, due_at - ?2)
    WHERE status = 'pending' AND owner IS NULL AND due_at > ?1 AND coalesce(last_at, created_at) > ?1`,
  // One that is being tried has a due time only where it is wanted again.
  hastenWantedAgain: `UPDATE deliveries SET due_at = max(?1, due_at - ?2)
    WHERE status = 'pending' AND owner > '' AND due_at > ?1`,
  // Whoever tries it right now keeps it until that try is over, so that there are never two; the due time marks it.
  redeliver: `UPDATE deliveries SET status = 'pending', tries = 0, due_at = ? WHERE run_id = ? AND id = ?`,
  postponeDelivery: `UPDATE deliveries SET owner = NULL, due_at = ?
    WHERE run_id = ? AND id = ? AND owner = ? AND status = 'pending'`,
  probe: `INSERT INTO probes (name, at) VALUES ('fit', ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at`,
  insertKey: 'INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  insertKeyOrigin: 'INSERT INTO key_origins VALUES (?, ?)',
  // Of the keys of a line, only those that are not over stay findable.
  forgetExpiredOrigins: `DELETE FROM key_origins WHERE origin = ?1
    AND EXISTS (SELECT 1 FROM keys WHERE keys.id = key_origins.key_id AND keys.expires_at <= ?2)`,
  // Short, because a revoked key is in it no more: found by the key's own list of origins.
  forgetKeyOrigins: `DELETE FROM key_origins WHERE key_id = ?1
    AND origin IN (SELECT value FROM json_each((SELECT origins FROM keys WHERE id = ?1)))`,
  useKey: 'UPDATE keys SET last_used_at = ?2 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)',
  // A key of a line has one successor at most that is not revoked, however many are asked for at once.
  expireReplacedKey: `UPDATE keys SET expires_at = min(coalesce(expires_at, ?1), ?1) WHERE id = ?2 AND revoked_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM keys AS younger WHERE younger.lineage = keys.lineage
      AND younger.rowid > keys.rowid AND younger.revoked_at IS NULL)`,
  revokeKey: 'UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?',
  insertSigningKey: 'INSERT INTO signing_keys VALUES (?, ?, ?, ?)',
  deleteExpiredSigningKeys: 'DELETE FROM signing_keys WHERE expires_at <= ?',
  insertSecret: 'INSERT INTO webhook_secrets VALUES (?, ?, ?, ?, ?)',
  countSecrets: 'SELECT count(*) FROM webhook_secrets WHERE lineage = ?',
  expireSecrets: 'UPDATE webhook_secrets SET expires_at = min(coalesce(expires_at, ?1), ?1) WHERE lineage = ?2',
  deleteExpiredSecrets: 'DELETE FROM webhook_secrets WHERE lineage = ? AND expires_at <= ?',
  insertCredential: 'INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?, ?)',
  deleteCredential: 'DELETE FROM credentials WHERE id = ?',
  deleteCredentialStates: 'DELETE FROM credential_states WHERE credential_id = ?',
  putCredentialState: 'INSERT OR REPLACE INTO credential_states VALUES (?, ?, ?, ?, ?, ?)',
  clearCredentialState: 'DELETE FROM credential_states WHERE credential_id = ? AND provider = ?',
  addMasterKey: 'INSERT INTO master_keys (fingerprint, added_at) VALUES (?, ?) ON CONFLICT DO NOTHING',
  // The first bytes of a box: version (1), fingerprint of its master key (8).
  findRetired: `SELECT 1 FROM master_keys
    WHERE fingerprint = lower(hex(substr(?, 2, 8))) AND retired_at IS NOT NULL`,
  retireMasterKey: `INSERT INTO master_keys (fingerprint, added_at, retired_at) VALUES (?1, ?2, ?2)
    ON CONFLICT (fingerprint) DO UPDATE SET retired_at = coalesce(retired_at, excluded.retired_at)`,
  purgeIdempotency: `DELETE FROM idempotency WHERE (lineage, subject, key) IN (
    SELECT i.lineage, i.subject, i.key FROM idempotency i LEFT JOIN runs r ON r.id = i.run_id
    WHERE i.created_at < ? AND (r.id IS NULL OR r.finished_at IS NOT NULL)
    ORDER BY i.created_at LIMIT ?)`,
  purgeTokenRuns: `DELETE FROM token_runs WHERE token_id IN (
    SELECT token_id FROM token_runs WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`,
} as const;
export type PlainStatement = keyof typeof PLAIN_STATEMENTS;

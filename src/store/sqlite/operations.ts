/** What SQLite takes and gives. */
export type Value = string | number | null | Uint8Array;
export type Row = readonly Value[];

/** Events of one run in order, three values each: type, time, data. */
export type FlatEvents = readonly Value[];

/**
 * What the writer can be asked for. Operations are flat arrays of plain values, because they cross a thread:
 * the main thread computes whole rows, the writer only executes prepared statements.
 */
export interface Operations {
  /** Row of `runs`, its events, its claim, its inputs where they are large. */
  create: [row: Row, events: FlatEvents, claim: ClaimRow | null, largeInputs: string | null];
  move: [change: MoveRow, events: FlatEvents, largeOutput: string | null, givesBackKey: boolean];
  /** Takes due runs. */
  claim: [owner: string, now: number, limit: number, queued: number];
  reclaim: [owner: string, now: number];
  release: [owner: string, except: string, now: number];
  purgeRuns: [ids: readonly string[], before: number];
  vacuum: [];
  run: [name: PlainStatement, values: Row];
}

export interface OperationResults {
  create: null | { winner: string; run: Row | null } | 'reused';
  /** The last event's number; null: stale. */
  move: number | null;
  claim: Row[];
  reclaim: number;
  release: number;
  purgeRuns: number;
  vacuum: number;
  /** Rows changed. */
  run: number;
}

export type OperationName = keyof Operations;
export type Operation = { [K in OperationName]: [name: K, ...args: Operations[K]] }[OperationName];
export type OperationResult = OperationResults[OperationName];

/** lineage, subject, key, run id, fingerprint, now; and the time before which a served row has expired. */
export type ClaimRow = readonly [string, string, string, string, string, number, number];

/** Values of the statement that moves a run, in its order. NULL in `pinned`, `output`, `fromOwner`: as it is. */
export type MoveRow = readonly [
  newEvents: number,
  status: string,
  provider: string,
  workflow: string,
  owner: string | null,
  dueAt: number | null,
  finishedAt: number | null,
  pinned: string | null,
  state: string,
  output: string | null,
  id: string,
  fromVersion: number,
  fromOwner: string | null,
];

/** Operations that are one statement. */
export const PLAIN_STATEMENTS = {
  beat: `INSERT INTO owners (owner, beat_at, dead) VALUES (?, ?, 0)
    ON CONFLICT (owner) DO UPDATE SET beat_at = excluded.beat_at WHERE dead = 0`,
  probe: `INSERT INTO probes (name, at) VALUES ('fit', ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at`,
  insertKey: 'INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  revokeKey: 'UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?',
  insertCredential: 'INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?)',
  removeCredential: 'DELETE FROM credentials WHERE id = ?',
  addMasterKey: 'INSERT INTO master_keys VALUES (?, ?) ON CONFLICT DO NOTHING',
  purgeIdempotency: `DELETE FROM idempotency WHERE (lineage, subject, key) IN (
    SELECT i.lineage, i.subject, i.key FROM idempotency i LEFT JOIN runs r ON r.id = i.run_id
    WHERE i.created_at < ? AND (r.id IS NULL OR r.finished_at IS NOT NULL)
    ORDER BY i.created_at LIMIT ?)`,
} as const;
export type PlainStatement = keyof typeof PLAIN_STATEMENTS;

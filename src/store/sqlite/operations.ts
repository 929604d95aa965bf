import type { Change } from '../../runs/ports.ts';

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
  move: Move;
  /** The same with a claim: both or neither. */
  moveOnce: [claim: ClaimRow, ...move: Move];
  /** An ended run with all that belongs to it, its claims apart. */
  remove: [id: string];
  /** Takes due runs. */
  /** `except`: a JSON list of providers whose due runs are left. */
  claim: [owner: string, now: number, limit: number, queued: number, except: string];
  reclaim: [owner: string, now: number];
  /** `before`: only runs with a smaller id. */
  release: [owner: string, except: string, now: number, before: string];
  purgeRuns: [ids: readonly string[], before: number];
  vacuum: [];
  /** A key that takes another's place: its row; the other's id and its new end. */
  replaceKey: [successor: Row, id: string, expiresAt: number];
  run: [name: PlainStatement, values: Row];
}

export interface OperationResults {
  create: null | { winner: string; run: Row | null } | 'reused';
  /** The last event's number; null: stale. */
  move: number | null;
  moveOnce: number | null | { winner: string; run: Row | null } | 'reused';
  remove: 'removed' | 'not_ended' | 'unknown';
  claim: Row[];
  reclaim: number;
  release: number;
  purgeRuns: number;
  vacuum: number;
  replaceKey: boolean;
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
  events: FlatEvents,
  largeOutput: string | null,
  giveBackKey: NonNullable<Change['giveBackKey']> | null,
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
  pinned: string | null,
  state: string,
  output: string | null,
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
  probe: `INSERT INTO probes (name, at) VALUES ('fit', ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at`,
  insertKey: 'INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  expireKey: `UPDATE keys SET expires_at = min(coalesce(expires_at, ?1), ?1) WHERE id = ?2 AND revoked_at IS NULL`,
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

import type { Owner, RunId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { Provider } from '../providers/registry.ts';
import type { CredentialState } from '../vault/credential-state.ts';
import type { Delivery, NewEvent, ResumeKey, Run, RunEvent, RunOutput, RunStatus, RunWithPayloads } from './model.ts';

/** A run about to be written. The store gives `version` 1, `seq` and `dueAt`. */
export type NewRun = Omit<Run, 'version' | 'seq' | 'dueAt'> & {
  readonly inputs: JsonObject;
  readonly events: readonly NewEvent[];
  /** Milliseconds from now, by the store's clock, until somebody has to care; null while `owner` does. */
  readonly dueInMs: number | null;
  readonly countedStart: CountedStart | null;
};

/** A start of a provider whose starts a minute are limited. It is remembered for a minute, over restarts too. */
export interface CountedStart {
  provider: string;
  credentialId: string;
  at: number;
}

/** One key's queued runs at one provider. */
export interface QueuedShare {
  provider: string;
  lineage: string;
  runs: number;
}

/** What the bounds on unfinished runs are counted from. */
export type UnfinishedRun = Pick<Run, 'id' | 'status' | 'lineage' | 'provider' | 'credentialId'>;

/** `(lineage, subject, key)` is unique; `fingerprint` covers operation, target run and body. */
export interface IdempotencyClaim {
  lineage: string;
  /** `''` where there is none: NULLs would all be different. */
  subject: string;
  key: string;
  fingerprint: string;
}

export type Claimed =
  | { kind: 'created'; run: Run }
  /** Written before with the same request. `run` is null where its record is gone. */
  | { kind: 'same'; runId: RunId; run: Run | null }
  /** The key was used with another request. */
  | { kind: 'reused' };

/** How many runs a key lineage may begin on one day of UTC (`2027-03-01`). */
export interface DayQuota {
  day: string;
  runsMax: number;
}

/** How many runs a token may begin in its life. */
export interface TokenQuota {
  id: string;
  runsMax: number;
  /** Milliseconds since 1970: what was counted is forgotten some time after. */
  expiresAt: number;
}

/** What runs are added up by. */
export const USAGE_GROUPS = ['provider', 'workflow', 'key'] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

/** The longest span that usage is added up over. */
export const USAGE_SPAN_DAYS_MAX = 31;
export const USAGE_SPAN_MS_MAX = USAGE_SPAN_DAYS_MAX * 86_400_000;

/** The runs of one provider, workflow or key. Those that have not ended are `unfinished`. */
export interface UsageRow {
  /** A provider's or workflow's name, or a key's id; `''`: all that are beyond the bound on groups, together. */
  group: string;
  /** A key's name, as its latest run has it; null for providers and workflows. */
  name: string | null;
  runs: number;
  succeeded: number;
  failed: number;
  cancelled: number;
  timed_out: number;
  unfinished: number;
  /** From their starts to their ends, of those that have both. */
  runSeconds: number;
}

/** Fields that a move may set. */
export type RunPatch = Partial<
  Omit<
    Run,
    | 'id'
    | 'version'
    | 'seq'
    | 'status'
    | 'keyId'
    | 'keyName'
    | 'lineage'
    | 'subject'
    | 'createdAt'
    | 'dueAt'
    | 'owner'
    | 'inputs'
  >
>;

export interface Change {
  status: RunStatus;
  patch: RunPatch;
  /** Undefined: the output stays as it is. */
  output?: RunOutput;
  events: readonly NewEvent[];
  /** Messages to the caller's webhook, written with the move; the mover adds them. */
  deliveries?: readonly NewDelivery[];
  /** Who cares from now on. */
  owner: Owner | null;
  /** Milliseconds from now, by the store's clock, below 0 for a command; null where `owner` cares, or nobody has to. */
  dueInMs: number | null;
  /**
   * Deletes an idempotency row, because what its request asked for provably did not begin and may come
   * again: `start`, the run's own; otherwise the key of a resume of this run.
   */
  giveBackKey?: 'start' | { resume: ResumeKey };
  /** The start that this move lets leave, where its provider's are counted. */
  countedStart?: CountedStart;
}

/** A message about to be written; due at once. */
export type NewDelivery = Pick<Delivery, 'id' | 'event' | 'snapshot' | 'createdAt'>;

/** What became of one try. */
export interface DeliveryResult {
  status: Delivery['status'];
  at: number;
  responseStatus: number | null;
  error: string | null;
  /** Milliseconds from now, by the store's clock; null where `status` is no longer `pending`. */
  nextInMs: number | null;
  /**
   * The tries that the message had when it was claimed. Where the answer to a first telling was lost, and the message was
   * claimed again since, the second telling is `stale`: one try counts once. Undefined: it is not looked at.
   */
  afterTries?: number;
}

export interface RunFilter {
  /** Null: everyone's (admins). */
  lineage: string | null;
  subject?: string;
  status?: readonly RunStatus[];
  provider?: string;
  workflow?: string;
  tag?: string;
  metadata?: Readonly<Record<string, string>>;
  /** Milliseconds since 1970; both bounds are part of the span. */
  createdAfter?: number;
  createdBefore?: number;
}

export interface Page {
  limit: number;
  /** The last id of the page before; runs come newest first. */
  before: RunId | null;
}

export interface RunPage {
  runs: Run[];
  /** A short page may still have one: the scan is bounded. */
  next: RunId | null;
}

/**
 * Where runs live. Every resolved write is durable. Due and owner times are the store's clock.
 * No transaction handle leaves the port. Every method may throw `GatewayError` `store_unavailable`,
 * and then nothing of that write has happened, or (on a broken connection) it may have: callers read again.
 */
export interface RunStore {
  /**
   * Writes the run, its events and its idempotency row in one commit; on conflict reads the winner in the same transaction.
   * With `quota`, the run is counted on that day for its lineage in the same commit; `over_quota`: nothing was written.
   * With `token`, it is counted for that token likewise; `over_token_quota`: nothing was written. A replay is never counted.
   */
  create(
    run: NewRun,
    options: { idempotency: IdempotencyClaim | null; quota: DayQuota | null; token?: TokenQuota | null },
  ): Promise<Claimed | { kind: 'over_quota' } | { kind: 'over_token_quota' }>;
  /** What `create` has counted: for the lineage on that day, and for the token. */
  countedRuns(of: {
    lineage: string;
    day: string;
    tokenId: string | null;
  }): Promise<{ ofDay: number; ofToken: number }>;
  /** A replay is recognised before anything is resolved; `create` decides again, and finally. */
  findByKey(claim: IdempotencyClaim): Promise<Exclude<Claimed, { kind: 'created' }> | null>;
  /**
   * Changes the run if its version is still `from.version` (and its owner still `from.owner`, where given).
   * Resolves to the run as written, or 'stale'.
   */
  move(from: { run: Run; owner?: Owner }, change: Change): Promise<Run | 'stale'>;
  /** The same with an idempotency key, as `create` takes it: the claim and the move are one commit, or neither happens. */
  moveOnce(
    from: { run: Run },
    change: Change,
    idempotency: IdempotencyClaim,
  ): Promise<{ kind: 'moved'; run: Run } | 'stale' | Exclude<Claimed, { kind: 'created' }>>;
  /**
   * Adds a vendor's output to the log of a run that goes on and is still `owner`'s; the row's status, version and due time stay.
   * Resolves to the last event's number. `stale`: the run has ended, or is another's.
   */
  append(id: RunId, owner: Owner, events: readonly NewEvent[]): Promise<number | 'stale'>;
  /** Deletes an ended run's record with all that belongs to it; its idempotency rows stay until they have served. */
  remove(id: RunId): Promise<'removed' | 'not_ended' | 'unknown'>;
  /** Records what an operator found out about an ended run; its status and events stay. Null: no such ended run. */
  resolve(id: RunId, resolution: JsonObject): Promise<Run | null>;
  get(id: RunId): Promise<RunWithPayloads | null>;
  /** The run without payloads: cheap enough to be read whenever in doubt. */
  peek(id: RunId): Promise<Run | null>;
  list(filter: RunFilter, page: Page): Promise<RunPage>;
  /** At most `limit`, and no more once they hold `charactersMax` together. */
  eventsAfter(id: RunId, seq: number, limit: number, charactersMax?: number): Promise<RunEvent[]>;
  /** The unfinished run that this provider calls so. */
  findByVendorRun(provider: string, vendorRunId: string): Promise<Run | null>;
  /** Makes a run that nobody owns due now. False: somebody cares for it already, it is due, or it has ended. */
  hurry(id: RunId): Promise<boolean>;
  /** Forgets the key of a refused resume, beside the run's row. */
  giveBackResumeKey(id: RunId, key: ResumeKey): Promise<void>;
  /**
   * The clock was set back by `byMs`: runs to be read that nobody owns, and messages that were written in what is the future
   * now, are due so much sooner.
   */
  hasten(byMs: number): Promise<void>;
  /** A run's messages, oldest first. */
  deliveries(id: RunId): Promise<Delivery[]>;
  /** Takes messages that are due and that nobody owns, longest due first. */
  claimDeliveries(owner: Owner, limit: number): Promise<Delivery[]>;
  /** Counts the try and writes what became of it; with `gone`, every other pending message of the run is `gone` too. */
  settleDelivery(id: string, owner: Owner, result: DeliveryResult): Promise<'ok' | 'stale'>;
  /** Gives a message back that was claimed and not tried: its target has as much under way as it may, or the process stops. */
  postponeDelivery(delivery: Pick<Delivery, 'id' | 'runId'>, owner: Owner, inMs: number): Promise<'ok' | 'stale'>;
  /**
   * Sends a message of this run again from the beginning of its ladder, whatever became of it. While it is being tried: once
   * that try is over, which then counts for nothing (`stale`). Null: no such message.
   */
  redeliver(id: RunId, deliveryId: string): Promise<Delivery | null>;
  /** Unfinished runs, by status: for bounds and for people. */
  countUnfinished(): Promise<{ queued: number; total: number }>;
  /** Takes up to `limit` due runs that nobody owns, longest due first; of a provider, as many as make `max` with its `inFlight`. A queued one is due at its deadline. */
  claim(owner: Owner, limit: number, share?: { inFlight: ReadonlyMap<string, number>; max: number }): Promise<Run[]>;
  /** How many runs are queued, by provider and key lineage. */
  queuedShares(): Promise<QueuedShare[]>;
  /** Takes queued runs that nobody owns, due or not: of each entry's provider and lineage the oldest `runs`. */
  claimQueued(owner: Owner, wanted: readonly QueuedShare[]): Promise<Run[]>;
  /** Counted starts since `since` (milliseconds since 1970), oldest first. */
  recentStarts(since: number): Promise<CountedStart[]>;
  /** Every unfinished run, once, when the counts begin. */
  unfinished(): Promise<UnfinishedRun[]>;
  /** Makes the runs and messages of dead owners due at once; on SQLite, where the serve lock is held, every other owner is dead. */
  reclaim(owner: Owner): Promise<number>;
  /** The process is alive. `lost`: others have declared it dead, and it must stop caring. */
  beat(owner: Owner): Promise<'held' | 'lost'>;
  /** When the last heartbeat of those was that nobody has declared dead, milliseconds since 1970; null: there is none. */
  lastBeatAt(): Promise<number | null>;
  /**
   * Gives back what the owner has and that is not in `except`, due at once; where `beganBefore` (milliseconds
   * since 1970) is given, only runs created before. Resolves to how many there were.
   */
  release(owner: Owner, except: readonly RunId[], beganBefore?: number): Promise<number>;
  /**
   * Lossy hints that a run changed, from any process; null: something changed. Readers read again at least every second.
   */
  watch(hint: (id: RunId | null) => void, signal: AbortSignal): void;
  /**
   * The runs that began (by their ids' time) from `from` until before `to`, milliseconds since 1970 and at most
   * `USAGE_SPAN_MS_MAX` apart, added up; the group with the most runs first. Bounded in groups; read in pieces that let
   * others in between, so runs that change meanwhile are counted as they are when their piece is read.
   */
  usage(options: { groupBy: UsageGroup; from: number; to: number; signal?: AbortSignal }): Promise<UsageRow[]>;
  /**
   * Deletes up to `limit` runs that ended before `before`, with all that belongs to them, and whatever has served:
   * idempotency rows, runs counted for tokens, signing keys. `signal` ends it after the commit that is under way.
   */
  purge(before: number, limit: number, signal?: AbortSignal): Promise<number>;
}

export interface PooledCredential {
  credential: SealedCredential;
  /** Its share of the starts, among those that may be used; at least 1. */
  weight: number;
  state: CredentialState;
}

/** Where the engine gets closed credentials from, and tells what vendors made of them. */
export interface CredentialSource {
  /** Every credential that new runs of this provider may use, in a fixed order; empty where there is none. */
  pool(provider: Pick<Provider, 'name' | 'baseUrl' | 'credentials'>): Promise<readonly PooledCredential[]>;
  /** The credential that a run has pinned; null where it was removed, or the configuration does not send it there. */
  reopen(pinned: { id: string; provider: string; baseUrl: string }): Promise<SealedCredential | null>;
  /** Counts at once in this process, and is on disk soon; a write that fails is logged, not thrown. */
  mark(provider: string, credentialId: string, state: CredentialState): void;
}

import type { ErrorBody } from '../core/errors.ts';
import type { ErrorCode } from '../core/error-catalogue.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { RunOutput, WaitingFor } from '../providers/outcome.ts';

export type { RunOutput, WaitingFor } from '../providers/outcome.ts';

export const RUN_STATUSES = [
  'queued',
  'running',
  'waiting',
  'cancelling',
  'succeeded',
  'failed',
  'cancelled',
  'timed_out',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** One call that was, or may have been, sent to begin the run. Committed before its first byte leaves. */
export interface Attempt {
  number: number;
  /** `token`: only asks for what a streamed start needs; it begins nothing. */
  step: 'token' | 'start';
  provider: string;
  kind: string;
  origin: string;
  credentialId: string | null;
  workflow: string;
  at: number;
  /**
   * `open`: sent or about to be, no answer recorded. `began`: the vendor accepted it, or may have.
   * `not_begun`: proof that no run exists. Recovery never resends an open one of a `never` kind.
   */
  state: 'open' | 'began' | 'not_begun';
  errorCode: ErrorCode | null;
}

export interface RateLimitSeen {
  limit: number | null;
  remaining: number | null;
  /** Milliseconds since 1970, or null where the vendor documents no reset. */
  reset: number | null;
  observedAt: number;
}

export interface UpstreamState {
  /** The vendor's run id, once it has named one. */
  runId: string | null;
  status: string | null;
  requestId: string | null;
  /** After a cancel: whether the vendor confirmed that it stopped. */
  stopped: boolean | null;
  pollError: ErrorBody | null;
  rateLimit: RateLimitSeen | null;
}

/** What the process that next cares for the run has to do, and what it knows from earlier tries. */
export type Care =
  /** The start has not been sent, or its answer is awaited by the owner. */
  | { step: 'start' }
  /** The start broke: ask by our own id. `cause` is the error that ends the run when nobody knows it. */
  | { step: 'lookup'; cause: 'outcome_unknown' | 'upstream_timeout'; tries: number; unknownSince: number | null }
  | { step: 'poll'; tries: number; notFound: number }
  /** `look`: the vendor did not take the cancel, so it is polled before it is asked again: the run may have ended. */
  | { step: 'cancel'; next: 'ask' | 'look'; tries: number; notFound: number; from: 'running' | 'waiting' }
  /** The vendor is asked to make the run wait. */
  | { step: 'pause'; tries: number }
  /** A resume was sent, or is about to be. `back` is where the run returns to if the vendor does not take it. */
  | { step: 'resume'; key: ResumeKey | null; back: { waiting: WaitingFor; deadlineAt: number } }
  | { step: 'none' };

/** The idempotency key of a resume, and whose it is: as `IdempotencyClaim` has them. */
export interface ResumeKey {
  lineage: string;
  subject: string;
  key: string;
}

/** Where a start goes when every one before it provably began nothing; resolved by the configuration of that moment. */
export interface Fallback {
  provider: string;
  /** The vendor's own id. */
  workflow: string;
  /** The errors of the attempt before that lead here. */
  when: readonly ErrorCode[];
}

/** What happens when the last caller who waits for the run has left without an answer. */
export type OnDisconnect = 'continue' | 'cancel';

/** Where the caller wants to be told of the run. */
export interface Webhook {
  readonly url: string;
  readonly events: readonly WebhookEvent[];
}

/** A run without its payloads. Times are milliseconds since 1970. */
export interface Run {
  readonly id: RunId;
  /** Counts the moves; every change compares and sets it. */
  readonly version: number;
  /** The last event's number. */
  readonly seq: number;
  readonly status: RunStatus;

  readonly keyId: string;
  readonly keyName: string;
  readonly lineage: string;
  /** Whose the run is within its lineage, as `scopeOf` says it; null: the keys' own. People are shown `subjectOf` it. */
  readonly subject: string | null;

  /** As the caller named it: a registered name, or the vendor's id. */
  readonly workflow: string;
  readonly provider: string;
  /** Pinned for the run's life, so that a reload cannot send its polls elsewhere. */
  readonly kind: string;
  readonly baseUrl: string;
  /** As it was when the run was written. Calls go by what the configuration says of the place, never by this. */
  readonly allowPrivateNetwork: boolean;
  readonly credentialId: string | null;
  readonly settings: JsonObject;
  readonly upstreamWorkflow: string;
  /** The registered workflow's defaults, merged under the caller's inputs when the start is sent. */
  readonly defaults: JsonObject;
  readonly options: JsonObject;
  /** Those that are left; empty: none. */
  readonly fallbacks: readonly Fallback[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];

  readonly timeoutMs: number;
  readonly waitingTimeoutMs: number;
  readonly onDisconnect: OnDisconnect;
  readonly webhook: Webhook | null;
  /** True once the vendor has accepted the start. */
  readonly accepted: boolean;
  readonly upstream: UpstreamState;
  readonly error: ErrorBody | null;
  readonly waiting: WaitingFor | null;
  readonly partial: boolean;
  readonly attempts: readonly Attempt[];
  readonly resolution: JsonObject | null;
  readonly trace: { traceparent: string; tracestate: string | null } | null;

  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly deadlineAt: number;
  /** While `waiting`: what was left of `timeoutMs`. */
  readonly remainingMs: number | null;

  /** The process that cares for the run now; null: whoever claims it. */
  readonly owner: Owner | null;
  /** By the store's clock: when somebody has to care; null while an owner does, and after the end. */
  readonly dueAt: number | null;
  readonly care: Care;
}

export interface RunPayloads {
  readonly inputs: JsonObject;
  readonly output: RunOutput | null;
}

export type RunWithPayloads = Run & RunPayloads;

export const EVENT_TYPES = [
  'run.created',
  'run.started',
  'run.progress',
  'run.output.delta',
  'run.waiting',
  'run.resumed',
  'run.cancelling',
  'run.succeeded',
  'run.failed',
  'run.cancelled',
  'run.timed_out',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What a webhook may be about. */
export const WEBHOOK_EVENTS = [
  'run.waiting',
  'run.succeeded',
  'run.failed',
  'run.cancelled',
  'run.timed_out',
] as const satisfies readonly EventType[];
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

export interface NewEvent {
  type: EventType;
  at: number;
  /** Null for the four ends: they are rendered from the run's row, which no longer changes. */
  data: Json;
}

export interface RunEvent extends NewEvent {
  seq: number;
}

const ENDED: ReadonlySet<RunStatus> = new Set<RunStatus>(['succeeded', 'failed', 'cancelled', 'timed_out']);

export function hasEnded(run: { status: RunStatus }): boolean {
  return ENDED.has(run.status);
}

/** How many starts were sent, or may have been: a token that was fetched begins nothing. */
export function startsOf({ attempts }: Pick<Run, 'attempts'>): number {
  let starts = 0;
  for (const { step } of attempts) if (step === 'start') starts += 1;
  return starts;
}

/** Whether nothing more comes of the run by itself: it has ended, or waits for its caller. */
export function isSettled(run: { status: RunStatus }): boolean {
  return hasEnded(run) || run.status === 'waiting';
}

/** One message to a caller's webhook. Times are milliseconds since 1970. */
export interface Delivery {
  readonly id: string;
  readonly runId: RunId;
  readonly event: WebhookEvent;
  /** What of the run was different at that moment; null: an end, which stays as it is. */
  readonly snapshot: JsonObject | null;
  readonly createdAt: number;
  /** `pending`: to be tried (again). `gone`: the target answered 410. */
  readonly status: 'pending' | 'delivered' | 'failed' | 'gone';
  readonly tries: number;
  /** The last try's answer; both null before the first. */
  readonly lastAt: number | null;
  readonly lastStatus: number | null;
  /** A constant word for people, such as `timeout`. */
  readonly lastError: string | null;
  /** When it is tried next; null: never. */
  readonly dueAt: number | null;
}

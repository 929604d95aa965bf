import type { Caller } from '../core/caller.ts';
import type { ErrorBody } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { TraceContext } from '../core/outbound.ts';
import type { Delivery, OnDisconnect, Run, RunEvent, RunWithPayloads, Webhook } from './model.ts';
import type { Page, RunFilter, RunPage } from './ports.ts';

/** A `POST /runs` body, checked for form. */
export interface RunRequest {
  workflow: string;
  provider?: string;
  inputs: JsonObject;
  options: JsonObject;
  metadata: Record<string, string>;
  tags: string[];
  timeoutS?: number;
  waitingTimeoutS?: number;
  onDisconnect: OnDisconnect;
  webhook: Webhook | null;
}

/** A `POST /runs/{id}/resume` body, checked for form. */
export interface ResumeRequest {
  inputs: JsonObject;
  options: JsonObject;
}

export interface RequestContext {
  trace: TraceContext | null;
  /** Unquoted; null where the caller sent none. */
  idempotencyKey: string | null;
  /** The caller reads the run's events as they come, so that a vendor's stream is worth opening. */
  listening: boolean;
  /** Throws what a new run is refused for, and the copy of an earlier request is not. */
  mayBegin?: () => void;
}

export interface StartedRun {
  run: Run;
  /** The run was begun by an earlier request with the same idempotency key. */
  replayed: boolean;
  /**
   * The vendor's `x-ratelimit-*` of the answer to the start, verbatim, once that answer is there;
   * empty before, for replays, and after a restart.
   */
  vendorHeaders(): Readonly<Record<string, string>>;
  /** Milliseconds spent in vendor calls of the start so far. */
  upstreamMs(): number;
  /** Why the vendor did not take a resume, so that the run waits again; null for starts: their run has ended. */
  refusal(): ErrorBody | null;
}

export interface Hold {
  ms: number;
  signal: AbortSignal;
  /**
   * The run and its inputs as this caller's own request wrote them a moment ago, which spares reading them again. Only
   * where the inputs are small: they stay in memory for as long as the caller waits.
   */
  written: { run: Run; inputs: JsonObject } | null;
}

/** Who reads a run's events as they come. */
export interface EventReader {
  /**
   * Takes frames that are ready to be written: several events, or a comment. False: no more for now, `drained` will be
   * told. Texts are shared between readers.
   */
  write(frames: string): boolean;
  /** Nothing more comes. `done`: the run's end was told. Else the reader is to come back: `drain` or `slow`. */
  close(reason: 'done' | 'drain' | 'slow'): void;
}

export interface Following {
  /** The reader takes more again. */
  drained(): void;
  /** The reader has left. */
  stop(): void;
}

/** One open `POST` of a run. Exactly one of the two is called, once. */
export interface Attendance {
  /** The caller has its answer (a 202 too), or we have ended the call: nothing that comes later cancels the run. */
  answered(): void;
  /** The caller has gone without one. */
  left(): void;
}

/** What the HTTP layer asks of runs. A run that is not the caller's does not exist: `not_found`. */
export interface RunService {
  /** Resolves once the run is on disk. Throws the contract's errors before anything is written. */
  create(caller: Caller, request: RunRequest, context: RequestContext): Promise<StartedRun>;
  /** Holds until the run has ended or waits, the time is up, the caller leaves or the process drains. */
  settle(caller: Caller, id: RunId, hold: Hold): Promise<RunWithPayloads>;
  get(caller: Caller, id: RunId): Promise<RunWithPayloads>;
  /** Within what the caller may see. */
  list(caller: Caller, filter: Omit<RunFilter, 'lineage'>, page: Page): Promise<RunPage>;
  /**
   * Hands a waiting run what it waits for; resolves once that is on disk, before the vendor is called.
   * Throws `run_not_waiting`, `unsupported_operation`, and what `create` throws for options and keys.
   */
  resume(caller: Caller, id: RunId, request: ResumeRequest, context: RequestContext): Promise<StartedRun>;
  /** Asks the vendor to make the run wait. Throws `unsupported_operation`, `run_not_running`, `run_not_addressable`. */
  pause(caller: Caller, id: RunId): Promise<RunWithPayloads>;
  /** Deletes the record of an ended run; resolves to what it was. Throws `run_not_ended`. */
  remove(caller: Caller, id: RunId): Promise<RunWithPayloads>;
  /** Events after `seq`, in order, at most `limit`. */
  events(caller: Caller, id: RunId, after: number, limit: number): Promise<RunEvent[]>;
  /**
   * Tells `reader` every event after `after`, in order and each once, then goes on as they come, until the run's end has
   * been told. Resolves once the run is known to be the caller's. Throws `invalid_request` for an `after` beyond the log.
   * `ended`: there is nothing after `after`, and never will be.
   */
  follow(caller: Caller, id: RunId, after: number, reader: EventReader): Promise<Following | 'ended'>;
  /** Says that a caller who began this run, or `joined` by its key, is waiting for the answer: `on_disconnect`. */
  attend(run: Run, joined: boolean): Attendance;
  /** The messages to the run's webhook, oldest first. */
  deliveries(caller: Caller, id: RunId): Promise<Delivery[]>;
  /** Sends one of them again. Throws `not_found`. */
  redeliver(caller: Caller, id: RunId, deliveryId: string): Promise<Delivery>;
  /** The run as it is after the command; `cancelling` means that the vendor is being asked. */
  cancel(caller: Caller, id: RunId): Promise<RunWithPayloads>;
}

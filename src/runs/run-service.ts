import type { Caller } from '../core/caller.ts';
import type { ErrorBody } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { TraceContext } from '../core/outbound.ts';
import type { Run, RunEvent, RunWithPayloads } from './model.ts';
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
}

/** A `POST /runs/{id}/resume` body, checked for form. */
export interface ResumeRequest {
  inputs: JsonObject;
  options: JsonObject;
}

export interface RequestContext {
  requestId: string;
  trace: TraceContext | null;
  /** Unquoted; null where the caller sent none. */
  idempotencyKey: string | null;
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
   * The run as this caller's own request wrote it a moment ago, which spares reading it again. Only where
   * its inputs are small: they stay in memory for as long as the caller waits.
   */
  written: RunWithPayloads | null;
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
  /** The run as it is after the command; `cancelling` means that the vendor is being asked. */
  cancel(caller: Caller, id: RunId): Promise<RunWithPayloads>;
}

import * as z from 'zod';
import type { Json, JsonObject } from '../core/json.ts';
import type { Auth, StreamFormat, StreamFrame } from '../core/outbound.ts';
import type { Answer, Outcome, ReadFault } from './outcome.ts';

/** One call as a kind describes it; made by `get` and `post`. */
export interface VendorRequest {
  method: 'GET' | 'POST' | 'DELETE';
  /** Made by the `path` tag, so every hole is percent-encoded. */
  path: EncodedPath;
  query?: Readonly<Record<string, string>>;
  body?: Json;
  headers?: Readonly<Record<string, string>>;
}

declare const encoded: unique symbol;
export type EncodedPath = string & { readonly [encoded]: true };

/** What every request of a kind may use. */
export interface RequestContext<Options, Settings> {
  /** The vendor's workflow id. */
  workflow: string;
  /** Our run's id, for vendors that take a client-chosen one (`run_…`). */
  clientRunId: string;
  options: Options;
  settings: Settings;
}

export interface StartContext<Options, Settings> extends RequestContext<Options, Settings> {
  inputs: JsonObject;
}

export interface RunContext<Options, Settings> extends RequestContext<Options, Settings> {
  /** The vendor's id of the run. */
  runId: string;
}

export interface ResumeContext<Options, Settings> extends RunContext<Options, Settings> {
  inputs: JsonObject;
  /** Parsed by the kind's `resumeOptions`. */
  resumeOptions: JsonObject;
  waitingFor: 'input' | 'resume' | 'approval';
}

export interface Operation<Context> {
  request(context: Context): VendorRequest;
  /**
   * Reads an answer whose status `accepts` allows. Throws where the body is not what the vendor documents;
   * the caller makes `upstream_invalid_response` of it (a start) or asks again later (a read).
   */
  read(answer: Answer): Outcome;
  /** Statuses that carry a result. Default: 200 alone. */
  accepts?: readonly number[];
}

/** What one frame of a stream says. */
export type StreamSignal =
  /** A piece of the answer, as a person reads it. */
  | { is: 'delta'; text: string }
  /** A step or a log line of the vendor's. */
  | { is: 'progress'; name: string; data: Json }
  /** The vendor has named its run, so that it can be polled from now on. */
  | { is: 'named'; runId: string }
  /** The vendor's word; what comes after it is not read. */
  | { is: 'outcome'; outcome: Outcome }
  /** Something has changed that only a poll tells. */
  | { is: 'ask' };

/** Reads one stream, frame by frame, and remembers what it needs for its end. */
export interface StreamReader {
  /** Throws where the frame is not what the vendor documents and cannot be passed over. */
  read(frame: StreamFrame): readonly StreamSignal[];
  /** The vendor has ended the stream in order. Null: only a poll can tell what became of the run. */
  end(): Outcome | null;
}

export interface StreamOperation<Context> {
  /** `websocket`: `request` is the handshake, its `body` the first message; before that nothing has begun. */
  via: 'http' | 'websocket';
  /** False: this run is started plainly, whoever listens. Default: every run can be streamed. */
  suits?(context: Pick<Context, Extract<keyof Context, 'options'>>): boolean;
  /** A call before, whose answer is a single-use secret that goes into the query of the stream, which then shows no credential. It begins nothing. */
  token?: { request(context: Context): VendorRequest; read(answer: Answer): string; query: string };
  request(context: Context): VendorRequest;
  /** By the head of a 2xx answer; null: it is no stream, and read like an answer to `start`. */
  format(head: { headers: Readonly<Record<string, string>> }): StreamFormat | null;
  /** A reader of its own for each stream. */
  open(head: { headers: Readonly<Record<string, string>> }): StreamReader;
}

/** How a vendor signs what it sends us: HMAC-SHA256 in hex over the raw body. */
export interface InboundOperation {
  signature: { header: string; timestamp: { header: string; toleranceS: number } | null };
  /** Which run the message is about: the vendor's id of it, or ours. Null: none of ours. Nothing else in it is believed. */
  read(body: Json): { runId: string } | { clientRunId: string } | null;
}

export interface PollPace {
  firstMs: number;
  factor: number;
  maxMs: number;
}

/** Whether a repeated start can begin a second run, as the vendor documents it. */
export type Repeat = 'never' | 'idempotency-key' | 'client-run-id';

/** Of kinds that name none of their own. */
export const RUN_TIMEOUT_DEFAULT_S = 300;

/** One vendor's API: typed data and pure functions. No I/O, no clock, no environment. */
export interface ProviderKind<Options = JsonObject, Settings = JsonObject> {
  kind: string;
  title: string;
  docsUrl: string;
  baseUrl: string;
  auth: Auth;
  /** Strict: what a caller may send in `options`. */
  options: z.ZodType<Options>;
  /** Strict: what an operator may set under `settings`. */
  settings: z.ZodType<Settings>;
  /** The form of this vendor's workflow ids, checked before anything is written. */
  workflowId: z.ZodType<string>;
  repeat: Repeat;
  /** True only for answers that the vendor documents for a run that did not begin. */
  notStarted(answer: { status: number }): boolean;
  /** How long a start may take until its head is there. Default: the setting `RUNGATE_HEADERS_TIMEOUT_MS`. */
  startTimeoutMs?: number;
  /** Default for a run's `timeout_s`. Default `RUN_TIMEOUT_DEFAULT_S`. */
  defaultTimeoutS?: number;
  /** How reads are spaced. Default 1 s, times 1.5, up to 15 s. */
  pollPace?: PollPace;
  start: Operation<StartContext<Options, Settings>>;
  /** The stream is the start; used where somebody listens. */
  startStream?: StreamOperation<StartContext<Options, Settings>>;
  /** Attaches to a run that goes on; used while somebody listens. */
  follow?: StreamOperation<RunContext<Options, Settings>>;
  poll?: Operation<RunContext<Options, Settings>>;
  /** Asks by our own id after a broken start; a 404 means that the vendor does not know it (yet). */
  lookup?: Operation<RequestContext<Options, Settings>>;
  /** 2xx: taken (its outcome counts); 409: refused, the run goes on. */
  cancel?: Operation<RunContext<Options, Settings>>;
  /** Asks a running run to wait for a resume. Repeating it must be harmless. */
  pause?: Operation<RunContext<Options, Settings>>;
  /** Hands a waiting run what it waits for. Never sent twice; its answer may be final, waiting or still going. */
  resume?: Operation<ResumeContext<Options, Settings>>;
  /** Strict: what a caller may send in a resume's `options`. Default: nothing. */
  resumeOptions?: z.ZodType<JsonObject>;
  /** The vendor's own webhooks. */
  inbound?: InboundOperation;
  /** The cheapest harmless call, and whether its answer shows that the credential was accepted. */
  verify?: {
    request(settings: Settings): VendorRequest;
    /** By the form of the body too: whatever else stands at the address may answer with this status. Undefined: no JSON. */
    good(answer: { status: number; body: Json | undefined }): boolean;
  };
  /** Restates an error body. Reads tolerantly and never throws on shape: every field is optional. */
  readError(answer: { status: number; headers: Readonly<Record<string, string>>; body: Json | undefined }): ReadFault;
  /** Names of rate-limit headers whose meaning is documented. Default: `x-ratelimit-limit`, `-remaining`, reset unknown. */
  rateLimitReset?: 'none' | 'epoch_s' | 'epoch_ms' | 'delta_s';
}

/**
 * A kind whose option and setting types the registry has forgotten; what goes in was parsed by the
 * kind's own schemas, which is what makes this safe.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyProviderKind = ProviderKind<any, any>;

/** Checks the types of one kind; adds nothing at run time. */
export function defineProvider<Options, Settings>(
  kind: ProviderKind<Options, Settings>,
): ProviderKind<Options, Settings> {
  return kind;
}

/** Percent-encodes every hole, so no caller-given id can leave its path segment. Throws on `.` and `..`. */
export function path(strings: TemplateStringsArray, ...holes: readonly string[]): EncodedPath {
  let text = strings[0] ?? '';
  holes.forEach((hole, i) => {
    if (hole === '' || hole === '.' || hole === '..') throw new TypeError('a path segment must name something');
    text += encodeURIComponent(hole) + (strings[i + 1] ?? '');
  });
  return text as EncodedPath;
}

export function get(to: EncodedPath, query?: Readonly<Record<string, string>>): VendorRequest {
  return query === undefined ? { method: 'GET', path: to } : { method: 'GET', path: to, query };
}

export function post(to: EncodedPath, body?: Json): VendorRequest {
  return body === undefined ? { method: 'POST', path: to } : { method: 'POST', path: to, body };
}

/** Visible ASCII that cannot leave a path segment or smuggle an escape: the form most vendors' ids have. */
export const plainWorkflowId: z.ZodType<string> = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._~:@-]{0,199}$/,
    'expected 1 to 200 letters, digits or . _ ~ : @ -, beginning with a letter or digit',
  );

/** For kinds without options or settings. */
export const nothing = z.strictObject({});

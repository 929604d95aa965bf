import type { Json } from './json.ts';
import type { SealedCredential, Secret } from './secret.ts';

/** How a vendor wants to be shown a credential: data that `upstream` carries out. */
export type Auth =
  | { readonly type: 'bearer' }
  | { readonly type: 'header'; readonly name: string }
  | { readonly type: 'query'; readonly name: string }
  /** A member of the body, which is a JSON object: how logins take what they ask for. */
  | { readonly type: 'body'; readonly name: string }
  /** The credential is not shown; the call carries a token of its own. */
  | { readonly type: 'none' };

/** One call to a vendor, as data: no caller can set its origin or its auth header. */
export interface OutboundRequest {
  /** The provider's configured base URL, without a trailing slash. */
  baseUrl: string;
  /** Addresses that the connect-time guard refuses by default are allowed. A decision of the operator, never of a caller. */
  allowPrivateNetwork: boolean;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Appended to the base URL; starts with `/`; every hole is percent-encoded already. */
  path: string;
  query?: Readonly<Record<string, string>>;
  /** One more parameter, which is secret: opened when the request is written, and scrubbed like the credential. */
  secretQuery?: { readonly name: string; readonly value: Secret };
  /** Sent as JSON. Undefined: no body. */
  body?: Json;
  headers?: Readonly<Record<string, string>>;
  auth: Auth;
  credential: SealedCredential;
  /** W3C trace context to continue; a new parent id is made for the call. */
  trace: TraceContext | null;
  /** What the span of the call says of it. */
  about?: CallAbout;
  /** `start`: only over a connection that is new or was used less than a second ago. */
  connection: 'start' | 'any';
  /**
   * Asked in the last moment before a byte leaves that can begin something, with the connection there and the credential
   * opened, which may have taken long. False: nothing is sent, `held_back`.
   */
  mayLeave?: (() => boolean) | undefined;
  /** Milliseconds until the head of the answer must be there. */
  headersTimeoutMs: number;
  /** Milliseconds that the body may be silent. */
  bodyTimeoutMs: number;
  /** Milliseconds for the whole call, to the last byte of the answer. Undefined: whoever calls keeps the time. */
  totalTimeoutMs?: number;
}

/** Names of our own making and configuration, never a caller's or vendor's text. */
export interface CallAbout {
  provider: string;
  operation: string;
  runId: string;
}

export interface TraceContext {
  traceparent: string;
  tracestate: string | null;
}

export type AnswerBody =
  | { kind: 'json'; value: Json }
  | { kind: 'empty' }
  /** Read to its end, but no JSON. `text` is at most the first 500 characters, scrubbed. */
  | { kind: 'unreadable'; fault: 'not_utf8' | 'not_json' | 'too_deep' | 'compressed'; text: string }
  | { kind: 'too_large' }
  /** The connection broke, or the body fell silent, before its end. */
  | { kind: 'broken'; cause: unknown };

/** A vendor's answer whose head arrived. Header names are lower case; values scrubbed of our credential. */
export interface OutboundAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: AnswerBody;
  durationMs: number;
}

/** How the bytes of a stream are to be read. */
export type StreamFormat = 'sse' | 'ndjson' | 'text';

/** One frame of a vendor's stream: decoded and scrubbed, not interpreted. */
export type StreamFrame =
  /** Server-sent events. `event` is `message` where the vendor names none. */
  | { kind: 'event'; event: string; data: string }
  /** One line of NDJSON. */
  | { kind: 'line'; value: Json }
  /** A piece of plain text; never half a character. */
  | { kind: 'text'; text: string }
  /** One text message of a WebSocket, parsed. */
  | { kind: 'message'; value: Json }
  /** A line or message that is not JSON, or an event that is too large. */
  | { kind: 'unreadable' };

/** Finds what a vendor echoes of our secrets in pieces, one in each frame. */
export interface OutputScrub {
  /** A whole text, such as one that was gathered from many frames. */
  text(value: string): string;
  /** The next piece of the one text that a stream brings: what can be handed on of it. */
  push(piece: string): string;
  /** What was held back of that text, once nothing follows it for now. */
  end(): string;
}

export interface OutboundStream {
  status: number;
  headers: Readonly<Record<string, string>>;
  /**
   * Ends where the vendor ends its stream in order. Throws `OutboundError` otherwise: `reset` (broken off, or a WebSocket
   * closed with another code than 1000), `body_timeout` (silent for `bodyTimeoutMs`), `too_large`, `aborted`. Frames are
   * taken from the socket only as fast as they are read. Leaving the loop closes the connection.
   */
  frames: AsyncIterable<StreamFrame>;
  scrub: OutputScrub;
}

export type StreamAnswer =
  | { is: 'stream'; stream: OutboundStream }
  /** No stream: another status than 2xx, or `format` did not know it. Read to its end like any answer. */
  | { is: 'answer'; answer: OutboundAnswer };

export interface StreamRequest extends OutboundRequest {
  /** `websocket`: `body` is sent as the first message, once the connection is open; until then no byte of a start has left. */
  via: 'http' | 'websocket';
  /** By the head of a 2xx answer; null: it is no stream. Not asked for WebSockets. */
  format(head: { headers: Readonly<Record<string, string>> }): StreamFormat | null;
}

/** A message to an address that a caller has named: no credential goes with it. */
export interface PlainPost {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  allowPrivateNetwork: boolean;
  /** For the whole call. */
  timeoutMs: number;
}

export interface PlainAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
}

/** A document that anybody may read, such as an issuer's keys: no credential goes with it. */
export interface PlainGet {
  /** `https:`; with `allowPrivateNetwork` `http:` too. */
  url: string;
  /** A decision of the operator. */
  allowPrivateNetwork: boolean;
  /** For the whole call. */
  timeoutMs: number;
  /** Of its body; a larger one is `too_large`. */
  bytesMax: number;
}

export type OutboundFailure =
  | 'dns'
  | 'connect'
  | 'tls'
  /** The connect-time guard refused the address. */
  | 'forbidden_address'
  /** Headers or URL could not be written; a bug or a broken setting. */
  | 'invalid_request'
  | 'headers_timeout'
  /** A stream fell silent. */
  | 'body_timeout'
  /** A stream brought more than an answer may. */
  | 'too_large'
  | 'reset'
  | 'aborted'
  /** `mayLeave` said no. */
  | 'held_back';

/** A call that brought no answer. `sent` tells whether a byte of the request may have left. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly failure: OutboundFailure;
  readonly sent: boolean;

  constructor(failure: OutboundFailure, { sent, cause }: { sent: boolean; cause?: unknown }) {
    super(`outbound call failed: ${failure}`, cause === undefined ? undefined : { cause });
    this.failure = failure;
    this.sent = sent;
  }
}

/** The one door to vendors. */
export interface Outbound {
  /**
   * Sends one call, once. Throws `OutboundError`, or what opening the credential threw
   * (`GatewayError`), in which case no byte left.
   */
  send(request: OutboundRequest, signal: AbortSignal): Promise<OutboundAnswer>;
  /** The same for an answer that is read while it comes. */
  openStream(request: StreamRequest, signal: AbortSignal): Promise<StreamAnswer>;
  /** Posts to a caller's own address, through the same guard; the answer's body is not read. Throws `OutboundError`. */
  post(request: PlainPost, signal: AbortSignal): Promise<PlainAnswer>;
}

/** Reads documents through the same guard. */
export interface DocumentReader {
  /** Redirects are not followed: they are answers like others. Throws `OutboundError`. */
  get(request: PlainGet, signal: AbortSignal): Promise<OutboundAnswer>;
}

import type { Json } from './json.ts';
import type { SealedCredential } from './secret.ts';

/** How a vendor wants to be shown a credential: data that `upstream` carries out. */
export type Auth =
  | { readonly type: 'bearer' }
  | { readonly type: 'header'; readonly name: string }
  | { readonly type: 'query'; readonly name: string };

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
  /** Sent as JSON. Undefined: no body. */
  body?: Json;
  headers?: Readonly<Record<string, string>>;
  auth: Auth;
  credential: SealedCredential;
  /** W3C trace context to continue; a new parent id is made for the call. */
  trace: TraceContext | null;
  /** `start`: only over a connection that is new or was used less than a second ago. */
  connection: 'start' | 'any';
  /** Milliseconds until the head of the answer must be there. */
  headersTimeoutMs: number;
  /** Milliseconds that the body may be silent. */
  bodyTimeoutMs: number;
}

export interface TraceContext {
  traceparent: string;
  tracestate: string | null;
}

export type AnswerBody =
  | { kind: 'json'; value: Json }
  | { kind: 'empty' }
  /** Read to its end, but no JSON. `text` is at most the first 500 characters, scrubbed. */
  | { kind: 'unreadable'; fault: 'not_utf8' | 'not_json' | 'too_deep'; text: string }
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

export type OutboundFailure =
  | 'dns'
  | 'connect'
  | 'tls'
  /** The connect-time guard refused the address. */
  | 'forbidden_address'
  /** Headers or URL could not be written; a bug or a broken setting. */
  | 'invalid_request'
  | 'headers_timeout'
  | 'reset'
  | 'aborted';

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
}

import { ERROR_CATALOGUE, type ErrorCode, type ErrorSource } from './error-catalogue.ts';

/** What the vendor said, restated; never its body. */
export interface UpstreamFault {
  status: number | null;
  code: string | null;
  message: string | null;
  request_id: string | null;
}

/** The `error` of an envelope, and of a run. Field names are the contract's. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  status: number;
  source: ErrorSource;
  retryable: boolean;
  retry_after_s: number | null;
  provider: string | null;
  upstream: UpstreamFault | null;
  run_id: string | null;
  request_id: string | null;
  param: string | null;
  docs_url: string;
}

export interface ErrorDetails {
  message?: string;
  /** Path of the field at fault: `inputs.ticket`. */
  param?: string;
  retryable?: boolean;
  /** Whole seconds. */
  retryAfterS?: number;
  provider?: string;
  upstream?: UpstreamFault;
  /** Where it arose, if that is not where errors of this code do. */
  source?: ErrorSource;
  runId?: string;
  requestId?: string;
  /** Extra answer headers that belong to this error: `Allow`, `WWW-Authenticate`. */
  headers?: Readonly<Record<string, string>>;
  cause?: unknown;
}

/** The one error class that may cross a module's border; its code decides everything else. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  readonly details: Omit<ErrorDetails, 'cause' | 'message'>;

  constructor(code: ErrorCode, { cause, message, ...details }: ErrorDetails = {}) {
    super(message ?? ERROR_CATALOGUE[code].message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/** When to come back after a 429, the vendor's or our own, of which nobody knows more. */
const RETRY_LIMITED_S = 10;
/** How long the process, or the vendor, is given to recover, where nothing better is known. */
export const RETRY_UNAVAILABLE_S = 5;

/** The error as people are told it: a 429 or 503 always says when to come back. */
export function withRetryAfter(error: ErrorBody): ErrorBody {
  if (error.retry_after_s !== null || (error.status !== 429 && error.status !== 503)) return error;
  return { ...error, retry_after_s: error.status === 429 ? RETRY_LIMITED_S : RETRY_UNAVAILABLE_S };
}

/** A request whose field, header or parameter `param` is wrong. */
export function wrongParam(param: string, message: string): GatewayError {
  return new GatewayError('invalid_request', { message, param });
}

/** A store that is down, which may come back; anything else that is thrown is a refusal, or a mistake of ours. */
export function isStoreUnavailable(cause: unknown): cause is GatewayError {
  return cause instanceof GatewayError && cause.code === 'store_unavailable';
}

/** The object of an error that was thrown; `more` goes over its details. */
export function errorBodyOf({ code, message, details }: GatewayError, more: Partial<ErrorDetails> = {}): ErrorBody {
  return errorBody(code, { ...details, message, ...more });
}

/** Renders an error as the contract's object. */
export function errorBody(code: ErrorCode, details: Omit<ErrorDetails, 'cause' | 'headers'> = {}): ErrorBody {
  const entry = ERROR_CATALOGUE[code];
  return {
    code,
    message: details.message ?? entry.message,
    status: entry.status,
    source: details.source ?? entry.source,
    retryable: details.retryable ?? entry.retryable,
    retry_after_s: details.retryAfterS ?? null,
    provider: details.provider ?? null,
    upstream: details.upstream ?? null,
    run_id: details.runId ?? null,
    request_id: details.requestId ?? null,
    param: details.param ?? null,
    docs_url: `/docs/errors#${code}`,
  };
}

import type { ErrorCode } from '../core/error-catalogue.ts';
import { errorBody, type ErrorBody, type UpstreamFault } from '../core/errors.ts';
import { ISO_TIME_MAX } from '../core/iso-time.ts';
import type { OutboundAnswer } from '../core/outbound.ts';
import type { AnyProviderKind, Operation } from '../providers/define-provider.ts';
import type { Outcome, ReadFault } from '../providers/outcome.ts';
import { mediaType, shortText } from '../providers/reading.ts';
import type { RateLimitSeen } from './model.ts';
import { messageFor } from './vendor-messages.ts';

/** What an answer to any operation amounts to, before it is decided what the run makes of it. */
export type Reading =
  | { is: 'outcome'; outcome: Outcome }
  /** A 2xx, but not what the documents describe: neither success nor proof of failure. */
  | { is: 'unreadable'; reason: string }
  /** A 2xx whose body broke off. */
  | { is: 'broken' }
  /** 3xx, 4xx, 5xx. */
  | { is: 'refused'; status: number };

const VENDOR_TEXT_MAX = 500;

/** Reads one answer with the operation's own reader; a 2xx is never success by itself. */
export function readAnswer(operation: Operation<never>, answer: OutboundAnswer): Reading {
  const { status, body, headers } = answer;
  if (status < 200 || status > 299) return { is: 'refused', status };
  if (body.kind === 'broken') return { is: 'broken' };
  if (!(operation.accepts ?? [200]).includes(status)) return { is: 'unreadable', reason: `HTTP ${status}` };
  if (body.kind !== 'json') return { is: 'unreadable', reason: body.kind === 'unreadable' ? body.fault : body.kind };
  try {
    return { is: 'outcome', outcome: operation.read({ status, headers, body: body.value }) };
  } catch {
    // The reader's complaint may quote the vendor's body; the reason stays constant.
    return { is: 'unreadable', reason: 'wrong_shape' };
  }
}

const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'upstream_auth_failed',
  402: 'upstream_payment_required',
  403: 'upstream_forbidden',
  404: 'upstream_workflow_not_found',
  409: 'upstream_conflict',
  429: 'upstream_rate_limited',
  503: 'upstream_unavailable',
  529: 'upstream_unavailable',
};

/** The code for a vendor's answer outside 2xx to a start. */
export function startErrorCode(status: number): ErrorCode {
  const known = STATUS_CODES[status];
  if (known) return known;
  if (status >= 500) return 'upstream_error';
  return status >= 400 ? 'upstream_rejected_input' : 'upstream_invalid_response';
}

/** The error of a start that the vendor answered with `status` outside 2xx. */
export function refusedStartError(
  kind: AnyProviderKind,
  provider: string,
  answer: OutboundAnswer,
  nowMs: number,
): ErrorBody {
  const fault = readFault(kind, answer);
  const plain = startErrorCode(answer.status);
  const code = plain === 'upstream_rate_limited' && fault.quotaExhausted ? 'upstream_quota_exhausted' : plain;
  const told = code === 'upstream_rate_limited' || code === 'upstream_unavailable' ? retryAfter(answer, nowMs) : null;
  // A credential that was refused rests for a moment, whatever the vendor says; the caller is told so long, and no less.
  const retryAfterS = told === null ? null : Math.max(told, 1);
  const upstream = upstreamFault(answer, fault);
  return errorBody(code, {
    message: messageFor(code, { title: kind.title, upstream, retryAfterS }),
    provider,
    upstream,
    // Only an answer that proves that nothing began may promise that sending again is safe.
    ...(code === 'upstream_rate_limited' ? { retryable: kind.notStarted({ status: answer.status }) } : {}),
    ...(retryAfterS === null ? {} : { retryAfterS }),
  });
}

/** An error of this vendor's operation that `answer` (if any) explains. */
export function vendorError(
  code: ErrorCode,
  kind: AnyProviderKind,
  provider: string,
  answer?: OutboundAnswer,
): ErrorBody {
  const upstream = answer ? upstreamFault(answer, readFault(kind, answer)) : null;
  const message = messageFor(code, { title: kind.title, upstream, retryAfterS: null });
  return errorBody(code, { message, provider, ...(upstream ? { upstream } : {}) });
}

function readFault(kind: AnyProviderKind, answer: OutboundAnswer): ReadFault {
  const body = answer.body.kind === 'json' ? answer.body.value : undefined;
  const fault = kind.readError({ status: answer.status, headers: answer.headers, body });
  if (answer.body.kind !== 'unreadable' || answer.body.fault !== 'not_json') return fault;
  return { message: plainText(answer, answer.body.text), ...fault };
}

/** The vendor's words where they are a plain text; a page of HTML says nothing to whoever reads an error. */
function plainText({ headers }: OutboundAnswer, text: string): string | null {
  return mediaType(headers) === 'text/plain' && !text.trimStart().startsWith('<') ? shortText(text) : null;
}

function upstreamFault(answer: OutboundAnswer, fault: ReadFault): UpstreamFault {
  return {
    status: answer.status,
    code: fault.code ? vendorText(fault.code) : null,
    message: fault.message ? vendorText(fault.message) : null,
    request_id: fault.requestId ? vendorText(fault.requestId) : (answer.headers['x-request-id'] ?? null),
  };
}

/** A vendor's words, short and without control characters. */
export function vendorText(text: string): string {
  return text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .slice(0, VENDOR_TEXT_MAX)
    .trim();
}

const RETRY_AFTER_MAX_S = 86_400;
/** Each of the three forms of RFC 9110 begins with the day of the week. */
const HTTP_DATE = /^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? /i;
/** The oldest of them says no zone, and means GMT as the others do: `Sun Nov  6 08:49:37 1994`. */
const ENDS_WITH_YEAR = /:\d\d \d{4}$/;

/** `Retry-After` in whole seconds, from seconds or an HTTP date; null where it is absent or senseless. */
export function retryAfter(answer: Pick<OutboundAnswer, 'headers'>, nowMs: number): number | null {
  const value = answer.headers['retry-after']?.trim();
  if (!value) return null;
  // `Date.parse` takes nearly anything for a date: `-5`, and `in 5`, for one that is long past.
  const dateMs = HTTP_DATE.test(value) ? Date.parse(ENDS_WITH_YEAR.test(value) ? `${value} GMT` : value) : Number.NaN;
  const seconds = /^\d{1,10}(\.\d{1,9})?$/.test(value) ? Number(value) : (dateMs - nowMs) / 1000;
  if (!Number.isFinite(seconds)) return null;
  return Math.min(Math.max(0, Math.ceil(seconds)), RETRY_AFTER_MAX_S);
}

/** The vendor's `x-ratelimit-*`, verbatim, as the caller of a start gets them. */
export function rateLimitHeaders(answer: OutboundAnswer): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name in answer.headers) {
    if (name.startsWith('x-ratelimit-')) found[name] = answer.headers[name] ?? '';
  }
  return found;
}

/** The same as data; null where the vendor said nothing of limits. */
export function rateLimitSeen(kind: AnyProviderKind, answer: OutboundAnswer, nowMs: number): RateLimitSeen | null {
  const limit = wholeNumber(answer.headers['x-ratelimit-limit']);
  const remaining = wholeNumber(answer.headers['x-ratelimit-remaining']);
  if (limit === null && remaining === null) return null;
  return { limit, remaining, reset: resetAt(kind, answer.headers['x-ratelimit-reset'], nowMs), observedAt: nowMs };
}

function resetAt(kind: AnyProviderKind, text: string | undefined, nowMs: number): number | null {
  const value = wholeNumber(text);
  const at = value === null ? null : resetMs(kind, value, nowMs);
  return at !== null && at <= ISO_TIME_MAX ? at : null;
}

function resetMs(kind: AnyProviderKind, value: number, nowMs: number): number | null {
  switch (kind.rateLimitReset ?? 'none') {
    case 'none':
      return null;
    case 'epoch_s':
      return value * 1000;
    case 'epoch_ms':
      return value;
    case 'delta_s':
      return nowMs + value * 1000;
  }
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

import type { JsonObject } from '../../core/json.ts';
import { EXAMPLE_RUN_ID } from '../schemas/parts.ts';

interface Header {
  description: string;
  schema: JsonObject;
  example: string | number;
}

/** Headers that operations read. `Authorization` is the security scheme's. */
export const REQUEST_HEADERS = {
  Prefer: {
    description:
      'How long the call may be held (RFC 7240): `wait=N` for up to N seconds, 300 at most; `respond-async` not at all. What is malformed is ignored.',
    schema: { type: 'string' },
    example: 'wait=30',
  },
  'Idempotency-Key': {
    description:
      'The same key and body give the same run, however often they are sent, for 24 h or until the run has ended. 1 to 255 printable ASCII characters, quoted or bare.',
    schema: { type: 'string', minLength: 1, maxLength: 512 },
    example: 'order-1001',
  },
  'Last-Event-ID': {
    description: 'The number of the last event that the client has seen; only what lies behind it is told.',
    schema: { type: 'integer', minimum: 0 },
    example: 3,
  },
  traceparent: {
    description: 'W3C trace context: continued in the calls to the vendor. What is malformed is ignored.',
    schema: { type: 'string' },
    example: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  },
  tracestate: {
    description: 'W3C trace context: handed on with `traceparent`.',
    schema: { type: 'string' },
    example: 'vendor=value',
  },
  'x-request-id': {
    description: 'Up to 128 visible ASCII characters: comes back, and is in the log. Anything else is replaced.',
    schema: { type: 'string' },
    example: 'checkout-7f3a',
  },
} as const satisfies Record<string, Header>;

export type RequestHeader = keyof typeof REQUEST_HEADERS;

/** Headers that answers carry. */
export const ANSWER_HEADERS = {
  'x-request-id': {
    description: 'The request’s id: the caller’s own, or one that was made. It is in the log.',
    schema: { type: 'string' },
    example: 'req_01k9zq3v5w8x7y6z5a4b3c2d1e',
  },
  traceparent: {
    description:
      'W3C trace context of the request: where the caller sent one, or Rungate writes a span of its own for it.',
    schema: { type: 'string' },
    example: '00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01',
  },
  tracestate: {
    description: 'W3C trace context: goes with `traceparent`, where there is one.',
    schema: { type: 'string' },
    example: 'vendor=value',
  },
  'Server-Timing': {
    description: 'Milliseconds: `upstream` is the vendor’s part of the time, `gateway` is Rungate’s.',
    schema: { type: 'string' },
    example: 'upstream;dur=812.4, gateway;dur=3.1',
  },
  Location: {
    description: 'The path of the run.',
    schema: { type: 'string' },
    example: `/runs/${EXAMPLE_RUN_ID}`,
  },
  'Preference-Applied': {
    description: 'The preference of `Prefer` that counted; absent where none did.',
    schema: { type: 'string' },
    example: 'wait=30',
  },
  'Idempotent-Replayed': {
    description: 'Present where an earlier request with the same idempotency key began the run.',
    schema: { type: 'string', enum: ['true'] },
    example: 'true',
  },
  'Retry-After': {
    description: 'Whole seconds after which the request may be sent again. On every 429 and 503.',
    schema: { type: 'integer', minimum: 0 },
    example: 12,
  },
  RateLimit: {
    description:
      'What is left of the key’s requests a minute: `r` requests for the next `t` seconds (structured fields, as the IETF’s draft on RateLimit fields has them). Absent where the key has no such limit, or none was looked at.',
    schema: { type: 'string' },
    example: '"key";r=59;t=12',
  },
  'RateLimit-Policy': {
    description: 'How many requests the key may send, `q`, in `w` seconds. Goes with `RateLimit`.',
    schema: { type: 'string' },
    example: '"key";q=60;w=60',
  },
  'WWW-Authenticate': {
    description: 'The scheme that is wanted.',
    schema: { type: 'string' },
    example: 'Bearer realm="rungate"',
  },
  'x-ratelimit-limit': {
    description:
      'The vendor’s, verbatim, as are all its `x-ratelimit-*`: on held answers that are no replay, where the vendor sent it.',
    schema: { type: 'string' },
    example: '100',
  },
  'x-ratelimit-remaining': {
    description: 'The vendor’s, verbatim.',
    schema: { type: 'string' },
    example: '99',
  },
  'x-ratelimit-reset': {
    description: 'The vendor’s, verbatim; each vendor means something else by it.',
    schema: { type: 'string' },
    example: '1767225600',
  },
} as const satisfies Record<string, Header>;

export type AnswerHeader = keyof typeof ANSWER_HEADERS;

/** Of a caller whose requests a minute are limited. Not to be taken for the vendors' own. */
export const LIMIT_HEADERS = ['RateLimit', 'RateLimit-Policy'] as const;

/** What a held answer may carry of the vendor's. */
export const VENDOR_HEADERS = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'] as const;

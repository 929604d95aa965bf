import type { Call } from '../call.ts';
import {
  ForwardingHandler,
  type AnswerHandler,
  type Controller,
  type Interceptor,
  type ResponseHeaders,
} from './interceptor.ts';

const ALLOWED = new Set([
  'content-type',
  'retry-after',
  'ratelimit',
  'ratelimit-policy',
  'x-request-id',
  'request-id',
  'x-correlation-id',
  'x-trace-id',
  'x-vercel-id',
  // What a stream is made of, where its content type does not say it.
  'x-vercel-ai-data-stream',
  'x-vercel-ai-ui-message-stream',
  'x-amzn-requestid',
  'cf-ray',
]);
const ALLOWED_PREFIX = 'x-ratelimit-';
const VALUE_LENGTH_MAX = 1_024;
const HEADERS_MAX = 32;

/**
 * Lets through the vendor's headers that somebody reads: type, rate limits, request ids. Values over 1,024 characters
 * are left out, since half a value would mislead. Also notes a content encoding, which we never asked for.
 */
export function responseHeaders(): Interceptor {
  return (dispatch) => (call, handler) => dispatch(call, new AllowListHandler(handler, call));
}

class AllowListHandler extends ForwardingHandler {
  readonly #call: Call;

  constructor(next: AnswerHandler, call: Call) {
    super(next);
    this.#call = call;
  }

  override onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, text?: string): void {
    const encoding = headers['content-encoding'];
    this.#call.encoded = encoding !== undefined && encoding !== '' && encoding !== 'identity';
    this.next.onResponseStart(controller, status, allowedHeaders(headers), text);
  }
}

/** The headers that are let through, each as one line. */
export function allowedHeaders(headers: ResponseHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  let count = 0;
  for (const name in headers) {
    if (!ALLOWED.has(name) && !name.startsWith(ALLOWED_PREFIX)) continue;
    const value = headers[name];
    const text = typeof value === 'string' ? value : (value?.join(', ') ?? '');
    if (text.length > VALUE_LENGTH_MAX || name.length > VALUE_LENGTH_MAX) continue;
    if (++count > HEADERS_MAX) break;
    kept[name] = text;
  }
  return kept;
}

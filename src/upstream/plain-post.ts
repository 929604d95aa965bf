import type { Clock } from '../core/clock.ts';
import { OutboundError, type PlainAnswer, type PlainPost } from '../core/outbound.ts';
import { toRejection } from './answer-collector.ts';
import { Call } from './call.ts';
import type { AnswerHandler, Controller, ResponseHeaders } from './interceptors/interceptor.ts';
import { headerNameIsSafe, headerValueIsSafe } from './interceptors/header-rules.ts';
import { invalidRequest } from './target.ts';

const URL_LENGTH_MAX = 4_096;
/** Longer answers cost their connection. */
const DISCARDED_BYTES_MAX = 64 * 1024;
/** What a message may say of itself; nothing with which a caller could speak to a server in our name. */
const ALLOWED = /^(?:content-type|webhook-[a-z0-9-]+)$/i;

/**
 * Makes a call of a message to a caller's own address. Throws `OutboundError` `invalid_request`, whose message never
 * holds the URL: it may be a secret.
 */
export function createPlainCall({ url, headers, body, allowPrivateNetwork, timeoutMs }: PlainPost): Call {
  const parsed = url.length > URL_LENGTH_MAX ? null : URL.parse(url);
  if (parsed === null) throw invalidRequest('the URL is none, or too long');
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw invalidRequest('the URL is neither http nor https');
  }
  if (parsed.username !== '' || parsed.password !== '') throw invalidRequest('the URL holds a user name or password');
  for (const [name, value] of Object.entries(headers)) {
    if (!headerNameIsSafe(name) || !headerValueIsSafe(value)) throw invalidRequest('a header cannot be written');
    if (!ALLOWED.test(name)) throw invalidRequest(`the header ${name.toLowerCase()} is not for messages`);
  }
  const { origin } = parsed;
  const call = new Call(
    {
      baseUrl: origin,
      allowPrivateNetwork,
      method: 'POST',
      path: '/',
      headers,
      auth: { type: 'none' },
      credential: null,
      trace: null,
      connection: 'start',
      headersTimeoutMs: timeoutMs,
      bodyTimeoutMs: timeoutMs,
    },
    { origin, basePath: '' },
    'plain',
  );
  call.path = parsed.pathname + parsed.search;
  call.body = body;
  return call;
}

/** The caller's end of a post: keeps the head, lets the body go by, and settles once, in time. */
export class HeadCollector implements AnswerHandler {
  readonly #call: Call;
  readonly #settle: { resolve(answer: PlainAnswer): void; reject(error: unknown): void };
  readonly #stopTimer: () => void;
  #answer: PlainAnswer | null = null;
  #bytesLeft = DISCARDED_BYTES_MAX;

  constructor(
    { call, clock, timeoutMs }: { call: Call; clock: Clock; timeoutMs: number },
    settle: { resolve(answer: PlainAnswer): void; reject(error: unknown): void },
  ) {
    this.#call = call;
    this.#settle = settle;
    this.#stopTimer = clock.after(timeoutMs, () => call.cancel('headers_timeout'));
    call.collector = this;
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Controller, status: number, headers: ResponseHeaders): void {
    this.#answer = { status, headers: headers as Record<string, string> };
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#bytesLeft -= chunk.length;
    if (this.#bytesLeft < 0) controller.abort(new Error('the rest is not read'));
  }

  onResponseEnd(): void {
    this.#end(new OutboundError('reset', { sent: true }));
  }

  /** What happens after the head changes nothing of the answer. */
  onResponseError(_controller: Controller | null, error: Error): void {
    this.#end(error);
  }

  #end(error: Error): void {
    if (this.#call.over) return;
    this.#call.end();
    this.#stopTimer();
    if (this.#answer !== null) this.#settle.resolve(this.#answer);
    else this.#settle.reject(toRejection(error, this.#call.sent));
  }
}

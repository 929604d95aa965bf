import type { Dispatcher } from 'undici';
import { OutboundError, type OutboundFailure, type OutboundRequest } from '../core/outbound.ts';
import type { Secret } from '../core/secret.ts';
import type { AnswerHandler } from './interceptors/interceptor.ts';
import { invalidRequest, type Target } from './target.ts';

// Visible ASCII without `#` and `?`; no `.` or `..` segment, which a server would resolve.
const PATH = /^\/[!"$->@-~]*$/;
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

/**
 * One call on its way: undici's dispatch options, and what the interceptors need to know of each other.
 *
 * Its states: open (nothing written; `controller` null) -> sent (`controller` set) -> over. `cancel` ends it from any
 * state; once it is over, the sent tracker refuses to write it, so a call can be forgotten while it waits in a queue.
 */
export class Call implements Dispatcher.DispatchOptions {
  readonly request: OutboundRequest;
  readonly target: Target;
  readonly method: OutboundRequest['method'];
  path: string;
  body: string | null;
  /** Names and values in turn, as undici writes them. */
  headers: string[] = [];
  // undici's own timers have a grain of half a second and more; time-limits.ts keeps the time.
  readonly headersTimeout = 0;
  readonly bodyTimeout = 0;

  /** The opened credential, from the moment it was put into the request. */
  secret: Secret | null = null;
  /** True from the moment before the first byte is handed to the socket. */
  sent = false;
  controller: Dispatcher.DispatchController | null = null;
  over = false;
  /** The answer came compressed although we asked for nothing of the kind. */
  encoded = false;
  /** Stops the timer that is running for this call. */
  stopTimer: (() => void) | null = null;
  /** Hears of the end where undici does not know the call yet. */
  collector: AnswerHandler | null = null;

  constructor(request: OutboundRequest, target: Target) {
    this.request = request;
    this.target = target;
    this.method = request.method;
    this.path = pathOf(request, target);
    this.body = request.body === undefined ? null : JSON.stringify(request.body);
  }

  /** Ends the call now: closes its connection if it has one, keeps it from ever being written otherwise. */
  cancel(failure: OutboundFailure, cause?: Error): void {
    if (this.over) return;
    const error = new OutboundError(failure, { sent: this.sent, cause });
    if (this.controller !== null) this.controller.abort(error);
    else this.collector?.onResponseError(null, error);
  }

  /** Marks the end and lets go of what is big: a pool's queue may hold on to the call for a while. */
  end(): void {
    this.over = true;
    this.stopTimer?.();
    this.stopTimer = null;
    this.body = null;
    this.headers = [];
  }
}

function pathOf({ path, query }: OutboundRequest, { basePath }: Target): string {
  const full = basePath + path;
  if (!PATH.test(path) || DOT_SEGMENT.test(path)) throw invalidRequest('the path cannot be written');
  return query === undefined ? full : withQuery(full, query);
}

/** Appends parameters, percent-encoded. */
export function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  let text = path;
  let separator = path.includes('?') ? '&' : '?';
  for (const name of Object.keys(query)) {
    text += `${separator}${encode(name)}=${encode(query[name] ?? '')}`;
    separator = '&';
  }
  return text;
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

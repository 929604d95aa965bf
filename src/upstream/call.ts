import type { Dispatcher } from 'undici';
import { OutboundError, type OutboundFailure, type OutboundRequest } from '../core/outbound.ts';
import type { SealedCredential, Secret } from '../core/secret.ts';
import type { Span } from '../core/tracing.ts';
import type { AnswerHandler } from './interceptors/interceptor.ts';
import { invalidRequest, type Target } from './target.ts';

// Visible ASCII without `#` and `?`; no `.` or `..` segment, which a server would resolve.
const PATH = /^\/[!"$->@-~]*$/;
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

/** How the answer is taken. Upgrades are WebSocket handshakes, plain ones posts to an address that a caller named. */
export type CallKind = 'answer' | 'stream' | 'upgrade' | 'plain';

/** What the way to the wire needs of a request. */
export interface CallRequest extends Omit<OutboundRequest, 'credential'> {
  /** Null: nothing secret goes with it. */
  credential: SealedCredential | null;
}

/** The reins of an answer that is coming in: undici's, or those of an upgraded connection. */
export type CallController = Pick<Dispatcher.DispatchController, 'abort' | 'pause' | 'resume'>;

/**
 * One call on its way: undici's dispatch options, and what the interceptors need to know of each other.
 *
 * Its states: open (nothing written; `controller` null) -> written (`controller` set) -> over. `cancel` ends it from any
 * state; once it is over, the sent tracker refuses to write it, so a call can be forgotten while it waits in a queue.
 */
export class Call implements Dispatcher.DispatchOptions {
  readonly kind: CallKind;
  readonly request: CallRequest;
  readonly target: Target;
  readonly method: OutboundRequest['method'];
  path: string;
  body: string | null;
  /** Names and values in turn, as undici writes them. */
  headers: string[] = [];
  // undici's own timers have a grain of half a second and more; time-limits.ts keeps the time.
  readonly headersTimeout = 0;
  readonly bodyTimeout = 0;
  readonly upgrade: string | null;

  /** What was opened for this request, from the moment it was put into it: to be found again in no answer. */
  secrets: readonly Secret[] = [];
  /** True from the moment before the first byte is handed to the socket. */
  written = false;
  /** A WebSocket's handshake begins nothing; its first message does. */
  messageSent = false;
  controller: CallController | null = null;
  over = false;
  /** The answer is read while it comes. */
  streaming = false;
  /** Nothing is taken from the socket, because nobody reads what came. */
  paused = false;
  /** When the answer gave its last sign of life, on the monotonic clock. */
  aliveAt = 0;
  /** The answer came compressed although we asked for nothing of the kind. */
  encoded = false;
  /** Stops the timer that is running for this call. */
  stopTimer: (() => void) | null = null;
  /** Hears of the end where undici does not know the call yet. */
  collector: AnswerHandler | null = null;
  /** Null where the call is not traced. */
  span: Span | null = null;
  /** What the span's end says went wrong; null: nothing did. */
  fault: string | null = null;
  /** Called where what came is replaced, because to search it for the secrets would take too long. */
  onMask: () => void = () => undefined;
  /** Called once, at the end of the call. */
  onEnd: (() => void) | null = null;

  constructor(request: CallRequest, target: Target, kind: CallKind = 'answer') {
    this.kind = kind;
    this.upgrade = kind === 'upgrade' ? 'websocket' : null;
    this.request = request;
    this.target = target;
    this.method = request.method;
    this.path = pathOf(request, target);
    this.body = request.body === undefined ? null : JSON.stringify(request.body);
  }

  /** True where a byte may have left that can begin something. */
  get sent(): boolean {
    return this.kind === 'upgrade' ? this.messageSent : this.written;
  }

  pause(): void {
    this.paused = true;
    this.controller?.pause();
  }

  /** Takes bytes from the socket again; its silence counts from `now`. */
  resume(now: number): void {
    this.paused = false;
    this.aliveAt = now;
    this.controller?.resume();
  }

  /** Ends the call now: closes its connection if it has one, keeps it from ever being written otherwise. */
  cancel(failure: OutboundFailure, cause?: Error): void {
    if (this.over) return;
    this.fault ??= failure;
    const error = new OutboundError(failure, { sent: this.sent, cause });
    if (this.controller !== null) this.controller.abort(error);
    else this.collector?.onResponseError(null, error);
  }

  /** Marks the end and lets go of what is big: a pool's queue may hold on to the call for a while. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.stopTimer?.();
    this.stopTimer = null;
    this.body = null;
    this.headers = [];
    this.span?.end(this.fault);
    this.onEnd?.();
    this.onEnd = null;
  }
}

function pathOf({ path, query }: CallRequest, { basePath }: Target): string {
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

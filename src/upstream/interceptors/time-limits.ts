import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { Call } from '../call.ts';
import {
  ForwardingHandler,
  type AnswerHandler,
  type Controller,
  type Interceptor,
  type ResponseHeaders,
} from './interceptor.ts';

/**
 * Keeps a call's times: how long all of it may take; until the head of the answer is there (opening the credential, waiting for a
 * connection and connecting included), then how long the body may be silent. undici's own timers are off: they are up
 * to a second late. A call that ran out of time unsent is `connect`: there was no connection for it.
 */
export function timeLimits({ clock }: { clock: Clock }): Interceptor {
  return (dispatch) => (call, handler) => {
    const timed = new TimedHandler(handler, call, clock);
    timed.waitForHead();
    return dispatch(call, timed);
  };
}

class TimedHandler extends ForwardingHandler {
  readonly #call: Call;
  readonly #clock: Clock;
  /** When the head must be there. */
  #headDueAt = 0;
  /** When all of the call must be over. */
  #overDueAt = Infinity;
  /** When the running timer fires; never later than what is due. */
  #firesAt = 0;
  #head = false;

  constructor(next: AnswerHandler, call: Call, clock: Clock) {
    super(next);
    this.#call = call;
    this.#clock = clock;
  }

  waitForHead(): void {
    const { headersTimeoutMs, totalTimeoutMs = Infinity } = this.#call.request;
    const now = this.#clock.monotonic();
    this.#overDueAt = now + totalTimeoutMs;
    this.#headDueAt = now + Math.min(headersTimeoutMs, totalTimeoutMs);
    this.#arm(now, this.#headDueAt - now);
  }

  override onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, text?: string): void {
    this.#waitForBody();
    this.next.onResponseStart(controller, status, headers, text);
  }

  /** From here on whoever reads the socket keeps `aliveAt`. */
  override onRequestUpgrade(controller: Controller, status: number, headers: ResponseHeaders, socket: Duplex): void {
    this.#waitForBody();
    super.onRequestUpgrade(controller, status, headers, socket);
  }

  /** Only notes the time: the running timer looks at it when it fires, so a chunk costs no timer. */
  override onResponseData(controller: Controller, chunk: Buffer): void {
    this.#call.aliveAt = this.#clock.monotonic();
    this.next.onResponseData(controller, chunk);
  }

  #waitForBody(): void {
    this.#head = true;
    const now = this.#clock.monotonic();
    this.#call.aliveAt = now;
    const dueAt = this.#dueAt(now);
    // A timer that fires earlier looks at the time itself, so nearly every call does with one.
    if (dueAt < this.#firesAt) {
      this.#call.stopTimer?.();
      this.#arm(now, dueAt - now);
    }
  }

  #dueAt(now: number): number {
    if (!this.#head) return this.#headDueAt;
    const { paused, aliveAt, request } = this.#call;
    // The vendor may be as loud as it likes while we do not listen.
    return Math.min((paused ? now : aliveAt) + request.bodyTimeoutMs, this.#overDueAt);
  }

  #arm(now: number, ms: number): void {
    this.#firesAt = now + ms;
    this.#call.stopTimer = this.#clock.after(ms, () => this.#due());
  }

  #due(): void {
    const now = this.#clock.monotonic();
    const dueAt = this.#dueAt(now);
    const leftMs = dueAt - now;
    if (leftMs > 0) this.#arm(now, Math.ceil(leftMs));
    else this.#readFirst(dueAt);
  }

  /** After a busy spell the answer may lie in the socket already: one turn of the loop reads it before it counts as late. */
  #readFirst(dueAt: number): void {
    setImmediate(() => {
      if (this.#call.over) return;
      if (this.#dueAt(this.#clock.monotonic()) !== dueAt) this.#due();
      else this.#expire();
    });
  }

  #expire(): void {
    const { controller, written, streaming } = this.#call;
    if (streaming) this.#call.cancel('body_timeout');
    else if (this.#head) controller?.abort(new Error('the body fell silent'));
    else if (written) this.#call.cancel('headers_timeout');
    else this.#call.cancel('connect', new Error('no connection was there in time'));
  }
}

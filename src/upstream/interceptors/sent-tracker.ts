import { OutboundError } from '../../core/outbound.ts';
import type { Call } from '../call.ts';
import { ForwardingHandler, type AnswerHandler, type Controller, type Interceptor } from './interceptor.ts';

/**
 * Answers "did a byte of the request leave?". undici 8 calls `onRequestStart` once a connection is there, and writes
 * head and body in the same turn of the event loop, with nothing in between that could fail. So before that call
 * nothing was sent, and from it on everything may have been. Throwing there is the one way to stop undici before the
 * write that leaves the connection usable; that makes this also the place where a request that is over, was written
 * before, or may not leave any more is kept from being written.
 */
export function sentTracker(): Interceptor {
  return (dispatch) => (call, handler) => dispatch(call, new SentTracker(handler, call));
}

class SentTracker extends ForwardingHandler {
  readonly #call: Call;

  constructor(next: AnswerHandler, call: Call) {
    super(next);
    this.#call = call;
  }

  override onRequestStart(controller: Controller, context: unknown): void {
    if (this.#call.over) throw new Error('the call ended before it was written');
    if (this.#call.written) throw new Error('a request is never written twice');
    if (this.#call.request.mayLeave?.() === false) throw new OutboundError('held_back', { sent: false });
    this.#call.written = true;
    this.#call.controller = controller;
    this.next.onRequestStart(controller, context);
  }
}

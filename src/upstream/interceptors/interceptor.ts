import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Call } from '../call.ts';

export type Controller = Dispatcher.DispatchController;
export type ResponseHeaders = IncomingHttpHeaders;

/** undici's handler with the methods that a request always uses. */
export interface AnswerHandler {
  onRequestStart(controller: Controller, context: unknown): void;
  onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, statusText?: string): void;
  /** The connection is a WebSocket now, and its socket ours. Only where an upgrade was asked for. */
  onRequestUpgrade?(controller: Controller, status: number, headers: ResponseHeaders, socket: Duplex): void;
  onResponseData(controller: Controller, chunk: Buffer): void;
  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void;
  /** The controller is null where the request was never written. */
  onResponseError(controller: Controller | null, error: Error): void;
}

export type Dispatch = (call: Call, handler: AnswerHandler) => boolean;
/** Behaviour by wrapping, as undici composes it: sees the call on its way out and, by a handler, the answer coming in. */
export type Interceptor = (dispatch: Dispatch) => Dispatch;

/** Puts interceptors around `last`. The list reads from the caller to the wire; answers pass it from its end to its beginning. */
export function compose(interceptors: readonly Interceptor[], last: Dispatch): Dispatch {
  return interceptors.reduceRight<Dispatch>((dispatch, interceptor) => interceptor(dispatch), last);
}

/** Hands everything on; interceptors override what they care about. */
export class ForwardingHandler implements AnswerHandler {
  protected readonly next: AnswerHandler;

  constructor(next: AnswerHandler) {
    this.next = next;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.next.onRequestStart(controller, context);
  }

  onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, statusText?: string): void {
    this.next.onResponseStart(controller, status, headers, statusText);
  }

  onRequestUpgrade(controller: Controller, status: number, headers: ResponseHeaders, socket: Duplex): void {
    this.next.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.next.onResponseData(controller, chunk);
  }

  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    this.next.onResponseEnd(controller, trailers);
  }

  onResponseError(controller: Controller | null, error: Error): void {
    this.next.onResponseError(controller, error);
  }
}

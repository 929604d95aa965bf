import type { Duplex } from 'node:stream';
import { OutboundError, type TraceContext } from '../../core/outbound.ts';
import type { Random } from '../../core/random.ts';
import type { Span, Tracing } from '../../core/tracing.ts';
import type { Call } from '../call.ts';
import { AnswerTooLarge } from './answer-size-cap.ts';
import { headerValueIsSafe } from './header-rules.ts';
import {
  ForwardingHandler,
  type AnswerHandler,
  type Controller,
  type Interceptor,
  type ResponseHeaders,
} from './interceptor.ts';

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;
const TRACESTATE_LENGTH_MAX = 512;

/**
 * Continues the run's W3C trace: the vendor is told the call's own span as parent, or, where nothing is traced, a parent
 * id that nobody else was told. An unreadable context is left out.
 */
export function traceContext({ random, tracing }: { random: Random; tracing: Tracing }): Interceptor {
  return (dispatch) => (call, handler) => {
    const { trace } = call.request;
    const parts = trace === null ? null : TRACEPARENT.exec(trace.traceparent);
    if (trace === null || parts === null) return dispatch(call, handler);
    if (!tracing.enabled) {
      tellVendor(call, `00-${parts[1]}-${parentId(random)}-${parts[2]}`, trace.tracestate);
      return dispatch(call, handler);
    }
    const span = startSpan(tracing, call, trace);
    call.span = span;
    if (span.context !== null) tellVendor(call, span.context.traceparent, span.context.tracestate);
    return dispatch(call, new SpanHandler(handler, call, span));
  };
}

function tellVendor(call: Call, traceparent: string, state: string | null): void {
  call.headers.push('traceparent', traceparent);
  if (state !== null && state !== '' && state.length <= TRACESTATE_LENGTH_MAX && headerValueIsSafe(state)) {
    call.headers.push('tracestate', state);
  }
}

/** Of the address only its origin: paths hold vendors' ids, which can be a caller's text. */
function startSpan(tracing: Tracing, { request, method, target }: Call, parent: TraceContext): Span {
  const { about } = request;
  const attributes = { 'http.request.method': method, 'rungate.origin': target.origin };
  if (about === undefined) return tracing.start('vendor call', { parent, kind: 'client', attributes });
  return tracing.start(`${about.operation} ${about.provider}`, {
    parent,
    kind: 'client',
    attributes: {
      ...attributes,
      'rungate.provider': about.provider,
      'rungate.operation': about.operation,
      'rungate.run_id': about.runId,
    },
  });
}

/** Notes for the call's span how the vendor answered; the call ends the span when it is over itself. */
class SpanHandler extends ForwardingHandler {
  readonly #call: Call;
  readonly #span: Span;

  constructor(next: AnswerHandler, call: Call, span: Span) {
    super(next);
    this.#call = call;
    this.#span = span;
  }

  override onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, text?: string): void {
    this.#note(status);
    this.next.onResponseStart(controller, status, headers, text);
  }

  override onRequestUpgrade(controller: Controller, status: number, headers: ResponseHeaders, socket: Duplex): void {
    this.#note(status);
    super.onRequestUpgrade(controller, status, headers, socket);
  }

  override onResponseError(controller: Controller | null, error: Error): void {
    this.#call.fault ??= faultOf(error, this.#call);
    this.next.onResponseError(controller, error);
  }

  #note(status: number): void {
    this.#span.set({ 'http.response.status_code': status });
    if (status >= 400) this.#call.fault = String(status);
  }
}

/** The word that the caller gets too, where it gets one. */
function faultOf(error: Error, { sent }: Call): string {
  if (error instanceof OutboundError) return error.failure;
  if (error instanceof AnswerTooLarge) return 'too_large';
  return sent ? 'reset' : 'connect';
}

function parentId(random: Random): string {
  const id = Buffer.from(random.bytes(8)).toString('hex');
  // All zeros means "none".
  return id === '0000000000000000' ? '0000000000000001' : id;
}

import type { FastifyReply } from 'fastify';
import type { ErrorCode } from '../core/error-catalogue.ts';
import { errorBody, withRetryAfter, type ErrorBody, type GatewayError } from '../core/errors.ts';
import type { TraceContext } from '../core/outbound.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Headers that every answer carries; `trace`: of a request that belongs to a trace, the context that it has here. */
export function baseHeaders(requestId: string, trace: TraceContext | null): Readonly<Record<string, string>> {
  const base = { 'x-request-id': requestId, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
  if (trace === null) return base;
  const { traceparent, tracestate } = trace;
  return tracestate === null ? { ...base, traceparent } : { ...base, traceparent, tracestate };
}

/** Gives an answer the headers that every one carries. */
export function setBaseHeaders(reply: FastifyReply): void {
  const { id, trace } = reply.request;
  reply.headers(baseHeaders(id, trace));
}

/** Tells where the time went; `upstreamMs` is the part of it that a vendor took. */
export function setServerTiming(reply: FastifyReply, upstreamMs = 0): void {
  const { startedMs, server } = reply.request;
  const gatewayMs = Math.max(0, server.clock.monotonic() - startedMs - upstreamMs);
  reply.header('server-timing', `upstream;dur=${upstreamMs.toFixed(1)}, gateway;dur=${gatewayMs.toFixed(1)}`);
}

/** Sends JSON text. `upstreamMs` is the part of the time that a vendor took. */
export function sendJson(reply: FastifyReply, status: number, text: string, upstreamMs = 0): void {
  setServerTiming(reply, upstreamMs);
  reply.header('content-type', JSON_TYPE);
  reply.code(status).send(text);
}

/** Sends an error as the contract's envelope, with the headers that belong to its code. */
export function sendError(reply: FastifyReply, error: GatewayError): void {
  const { headers, ...details } = error.details;
  const body = errorBody(error.code, { ...details, message: error.message, requestId: reply.request.id });
  setErrorHeaders(reply, error.code);
  if (headers !== undefined) reply.headers(headers);
  sendEnvelope(reply, body);
}

/** Sends an error object as the envelope; 429 and 503 always say when to come back, in header and body alike. */
export function sendEnvelope(reply: FastifyReply, body: ErrorBody, upstreamMs = 0): void {
  const error = withRetryAfter(body);
  reply.request.errorCode = error.code;
  if (error.retry_after_s !== null) reply.header('retry-after', error.retry_after_s);
  sendJson(reply, error.status, JSON.stringify({ error }), upstreamMs);
}

function setErrorHeaders(reply: FastifyReply, code: ErrorCode): void {
  if (code === 'unauthorized') reply.header('www-authenticate', 'Bearer realm="rungate"');
  if (code === 'shutting_down') reply.header('connection', 'close');
}

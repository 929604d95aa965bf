import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorCode } from '../../core/error-catalogue.ts';
import type { TraceContext } from '../../core/outbound.ts';
import { traceIdOf, type Span } from '../../core/tracing.ts';
import type { App, AppParts } from '../app.ts';
import { readTraceContext } from '../headers/trace-context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the run that this request begins is traced below; null: nobody traces it. */
    trace: TraceContext | null;
    /** The error that the request was answered with, for the log. */
    errorCode: ErrorCode | null;
  }
}

const METRICS_PATH = '/metrics';

type Parts = Pick<AppParts, 'clock' | 'log' | 'tracing' | 'observeRequest'>;

/** One line a request, and one span, of listed fields only: nothing of its headers, query or body. */
export function addRequestLog(app: App, parts: Parts): void {
  app.decorateRequest('trace', null);
  app.decorateRequest('errorCode', null);
  app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    logWhenClosed(request, reply, parts);
    done();
  });
}

/**
 * Starts the request's time, and writes its line when its answer is through or its client has left.
 * Fastify's `onResponse` would miss those who left.
 */
export function logWhenClosed(request: FastifyRequest, reply: FastifyReply, parts: Parts): void {
  const { clock, log } = parts;
  request.startedMs = clock.monotonic();
  const span = startSpan(request, parts);
  request.trace = span === null ? readTraceContext(request.headers) : span.context;
  reply.raw.once('close', () => {
    const answered = reply.raw.writableFinished;
    // A response that was finished has nobody waiting; aborting for it would cost a tenth of a request.
    if (!answered) request.leaving?.abort();
    const { url, config } = request.routeOptions;
    const status = answered ? reply.raw.statusCode : null;
    const ms = clock.monotonic() - request.startedMs;
    const fields = {
      request_id: request.id,
      run_id: request.runId,
      trace_id: traceIdOf(request.trace),
      key_id: request.caller?.keyId ?? null,
      method: request.method,
      route: url ?? null,
      /** Null where nobody was left to be answered. */
      status,
      code: request.errorCode,
      ms: Math.round(ms * 10) / 10,
    };
    parts.observeRequest({ route: url ?? null, method: request.method, status, ms });
    if (span !== null) endSpan(span, fields);
    // Probes and scrapes come every few seconds and would hide the rest.
    if (config.roles === 'anyone' || url === METRICS_PATH) log.debug(fields, 'request answered');
    else log.info(fields, 'request answered');
  });
}

/** Null where nothing is traced, and for what anybody may ask: nobody looks for probes and documents. */
function startSpan(request: FastifyRequest, { tracing }: Parts): Span | null {
  const { url, config } = request.routeOptions;
  if (!tracing.enabled || config.roles === 'anyone') return null;
  const attributes = { 'http.request.method': request.method };
  return tracing.start(url === undefined ? request.method : `${request.method} ${url}`, {
    parent: readTraceContext(request.headers),
    kind: 'server',
    attributes: url === undefined ? attributes : { ...attributes, 'http.route': url },
  });
}

function endSpan(
  span: Span,
  fields: { run_id: string | null; key_id: string | null; status: number | null; code: ErrorCode | null },
): void {
  if (fields.run_id !== null) span.set({ 'rungate.run_id': fields.run_id });
  if (fields.key_id !== null) span.set({ 'rungate.key_id': fields.key_id });
  if (fields.status !== null) span.set({ 'http.response.status_code': fields.status });
  // A refusal is no fault of the server, and says so by its status; the word for it is there all the same.
  if (fields.code !== null) span.set({ 'error.type': fields.code });
  span.end(fields.status !== null && fields.status >= 500 ? (fields.code ?? String(fields.status)) : null);
}

import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { ServesOrigin } from '../access/origins.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { App, AppParts } from './app.ts';
import { requestIdOf } from './headers/request-id.ts';
import { addClientErrors, answerClientError } from './plugins/client-errors.ts';
import { addCors, corsHeaders } from './plugins/cors.ts';
import { addGuard } from './plugins/guard.ts';
import { addHostNames } from './plugins/host-names.ts';
import { addJsonBody } from './plugins/json-body.ts';
import { addParameterRefusal } from './plugins/refuse-parameters.ts';
import { addRequestLimits } from './plugins/request-limits.ts';
import { addRequestLog, logWhenClosed } from './plugins/request-log.ts';
import { addRouteTable } from './plugins/route-table.ts';
import { zodValidator } from './plugins/zod-validator.ts';
import { sendError, setBaseHeaders } from './reply.ts';
import { toGatewayError } from './to-gateway-error.ts';

/** A refused body of at most this size is read to its end, so that the client surely gets the answer. */
const DISCARDED_BYTES_MAX = 33_554_432;

/** How often Node looks for requests that are late. */
const CHECK_INTERVAL_MAX_MS = 30_000;

export interface AppOptions {
  /** Keeps keys to their requests a minute. */
  countsRequests: boolean;
  /** Whose pages may read the answers; none: no browser's but those of this origin itself. */
  servesOrigin?: ServesOrigin;
  /** Names by which it may be asked on loopback, beside `localhost`; none: by any. */
  hostNames?: readonly string[];
}

/** Makes an app without routes: limits, guard, bodies, errors and the log are the same on every listener. */
export function createApp(parts: AppParts, { countsRequests, servesOrigin, hostNames }: AppOptions): App {
  const { ids, log, limits } = parts;
  const app = fastify({
    logger: false,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    genReqId: (raw) => requestIdOf(raw, ids),
    // A drain lets reads through; the guard refuses what would begin something, in our words.
    return503OnClosing: false,
    // Longer than any header can be, so that no id is refused in another form than an unknown one.
    routerOptions: { maxParamLength: limits.headerBytesMax },
    http: {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MAX_MS, limits.requestTimeoutMs / 2),
      // Node would answer with an empty body; the guard looks instead.
      requireHostHeader: false,
    },
    clientErrorHandler: answerClientError({ ids, log }),
    // Where they are named, Fastify does not load its own, which is a hundred files.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    frameworkErrors: (error, request, reply) => {
      logWhenClosed(request, reply, parts);
      setBaseHeaders(reply);
      // No hook has run for a request that found no route by its URL.
      void allowOrigin(request, reply, servesOrigin).finally(() => answerError(log, error, { request, reply }));
    },
  }).withTypeProvider<ZodTypeProvider>();
  app.server.maxConnections = limits.connectionsMax;
  app.decorate('clock', parts.clock);
  app.decorateRequest('startedMs', 0);
  app.decorateRequest('caller', null);
  app.decorateRequest('presented', null);
  app.decorateRequest('leaving', null);
  app.decorateRequest('runId', null);
  app.setValidatorCompiler(zodValidator);
  app.setErrorHandler((error, request, reply) => answerError(log, error, { request, reply }));
  addClientErrors(app, parts);
  addParameterRefusal(app);
  addRouteTable(app);
  addRequestLog(app, parts);
  if (hostNames) addHostNames(app, hostNames);
  if (servesOrigin) addCors(app, servesOrigin);
  addGuard(app, { ...parts, countRequest: countsRequests ? addRequestLimits(app, parts) : null });
  addJsonBody(app);
  return app;
}

/** Requests are checked by zod; answers are written as they are, by no schema. */
function noCompiler(): never {
  throw new Error('an app checks by zod alone, and writes no answer by a schema');
}

/** Never rejects: where the store cannot say whether the origin is served, it is not. */
async function allowOrigin(request: FastifyRequest, reply: FastifyReply, serves?: ServesOrigin): Promise<void> {
  const { origin } = request.headers;
  if (origin === undefined || serves === undefined) return;
  const headers = await corsHeaders(origin, serves).catch(() => ({}));
  reply.headers(headers);
}

function answerError(
  log: Log,
  thrown: unknown,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): void {
  const error = toGatewayError(thrown, { bodyBytesMax: request.routeOptions.bodyLimit });
  const fields = { request_id: request.id, code: error.code, err: error.cause ?? null };
  if (error.code === 'internal') log.error(fields, 'request failed for a reason nobody foresaw');
  else if (error.cause instanceof Error && isOurs(error)) log.warn(fields, 'request failed');
  keepConnection(request, { reply, error });
  sendError(reply, error);
}

/**
 * Fastify closes the connection on any fault of a body, which can take the answer with it. A body that was read,
 * or whose rest is small enough to be thrown away, needs no closing.
 */
function keepConnection(
  { headers }: FastifyRequest,
  { reply, error }: { reply: FastifyReply; error: GatewayError },
): void {
  const declared = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
  if (error.code !== 'payload_too_large' || declared <= DISCARDED_BYTES_MAX) reply.removeHeader('connection');
}

/** Faults of this process and what it stands on are worth a line; those of a request are in its own. */
function isOurs({ code }: { code: string }): boolean {
  return code === 'store_unavailable' || code === 'vault_unavailable';
}

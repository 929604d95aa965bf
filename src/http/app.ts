import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type * as z from 'zod';
import type { Authenticate, ShownIdentity } from '../access/authenticate.ts';
import type { Caller, Role } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import type { Ids } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Tracing } from '../core/tracing.ts';
import type { Operation } from './openapi/operation.ts';

/** Who may use a route. A route that says nothing may be used by nobody. */
export type RouteRoles = readonly Role[] | 'anyone';

export interface RouteEntry {
  method: string;
  url: string;
  roles: RouteRoles | undefined;
  /** What the route says of itself; the OpenAPI document is made from it. */
  operation?: Operation | undefined;
  schema?: RouteSchema | undefined;
}

/** A request's schemas; answers have none at run time. */
export interface RouteSchema {
  params?: z.ZodType;
  querystring?: z.ZodType;
  body?: z.ZodType;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    roles?: RouteRoles;
    /** Answers as `text/event-stream` too, where that is what the caller would rather have. */
    streams?: boolean;
    /** A browser token may come as `?token=`: `EventSource` cannot send headers. */
    takesQueryToken?: boolean;
    /** The body is handed on as it came: its signature is over these bytes. */
    rawBody?: boolean;
    operation?: Operation;
  }
  interface FastifyRequest {
    /** Monotonic milliseconds. */
    startedMs: number;
    /** Set by the guard; null on routes for anyone. */
    caller: Caller | null;
    /** What the caller was proven by, for a second look; set with `caller`. */
    presented: ShownIdentity | null;
    /** Aborted when the client goes away; null where nothing is held for it. */
    leaving: AbortController | null;
    /** The run that the request turned out to be about, for the log. */
    runId: string | null;
  }
  interface FastifyInstance {
    clock: Pick<Clock, 'now' | 'monotonic'>;
    /** Every route there is, automatic HEAD ones included. */
    routeTable: RouteEntry[];
    /** How many requests a line of keys has sent in its minute. Counted for lines that have a limit, on listeners that keep to it. */
    requestsSent?: (lineage: string) => number;
  }
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What every listener needs to know of the process. */
export interface Health {
  /** Why the process takes no work; null: it does. */
  unready(): 'draining' | 'store' | null;
}

export interface HttpLimits {
  bodyBytesMax: number;
  /** All headers of one request together. */
  headerBytesMax: number;
  /** Time for a request, body included, to arrive. */
  requestTimeoutMs: number;
  connectionsMax: number;
}

/** The limits that are no settings. */
export const FIXED_HTTP_LIMITS = {
  headerBytesMax: 16_384,
  requestTimeoutMs: 60_000,
} as const satisfies Partial<HttpLimits>;

/** What every app is built from. */
export interface AppParts {
  authenticate: Authenticate;
  health: Health;
  ids: Pick<Ids, 'request'>;
  clock: Pick<Clock, 'now' | 'monotonic'>;
  log: Log;
  limits: HttpLimits;
  tracing: Tracing;
  /** Hears of each request that is over, for metrics. */
  observeRequest: (sample: RequestSample) => void;
}

export interface RequestSample {
  /** With its parameters' names; null: none fitted. */
  route: string | null;
  method: string;
  /** Null: the client left. */
  status: number | null;
  ms: number;
}

/** The caller that the guard has proven. Throws on a route for anyone, which is a bug. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new TypeError('this route has no caller');
  return request.caller;
}

/**
 * Aborted when the client goes away before it is answered. One is made for each request that is held, and for
 * no other.
 */
export function leaveController(reply: FastifyReply): AbortController {
  const controller = new AbortController();
  // The connection may have gone while the run was written.
  if (reply.raw.destroyed) controller.abort();
  // Aborted by the listener that also writes the log's line: one listener for each request, not two.
  else reply.request.leaving = controller;
  return controller;
}

/** The signal of such a controller, for work that nothing else ends. */
export function leaveSignal(reply: FastifyReply): AbortSignal {
  return leaveController(reply).signal;
}

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ShownIdentity } from '../../access/authenticate.ts';
import type { Role } from '../../core/caller.ts';
import { GatewayError, wrongParam } from '../../core/errors.ts';
import { HOP_HEADER } from '../../core/hop.ts';
import type { App, AppParts, RouteRoles } from '../app.ts';
import { accepts, preferredType } from '../headers/accept.ts';
import { isRepeated } from '../headers/is-repeated.ts';
import { presentedBy } from '../presented.ts';
import { setBaseHeaders } from '../reply.ts';
import type { CountRequest } from './request-limits.ts';
import { allowedMethods } from './route-table.ts';

/** A revocation must count within a second, and what is known of a key may be half a second old when a request begins. */
const BODY_LATE_MS = 250;

export interface GuardParts extends Pick<AppParts, 'authenticate' | 'health' | 'clock'> {
  /** Null: this listener counts no requests. */
  countRequest: CountRequest | null;
}

/**
 * Decides by the matched route, before a byte of the body is read, whether a request may go on:
 * unknown path, drain, key, requests a minute, role, then form. A route that declares no roles is refused to everybody.
 * A body may take its time: a caller whose body came late is proven once more when it is there.
 */
export function addGuard(app: App, { authenticate, health, clock, countRequest }: GuardParts): void {
  app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    setBaseHeaders(reply);
    // First, because a call to a vendor that comes back here is on the vendor's path, which is none of ours.
    if (request.headers[HOP_HEADER] !== undefined) throw new GatewayError('loop_detected');
    if (request.is404) throw noSuchRoute(app, request);
    const { roles } = request.routeOptions.config;
    requireHost(request);
    if (roles === 'anyone') return;
    if (request.method === 'POST' && health.unready() === 'draining') throw new GatewayError('shutting_down');
    const presented = presentedBy(request);
    const caller = await authenticate(presented);
    request.presented = presented;
    request.caller = caller;
    // Most keys have no such limit, and pay nothing for those that have.
    if (caller.limits.requestsPerMinute !== null) await countRequest?.(request, reply);
    requireRole(roles, caller.role);
    requireForm(request);
  });

  async function proveAgain(request: FastifyRequest, presented: ShownIdentity): Promise<void> {
    // Who is refused now is nobody in the log either.
    request.caller = null;
    const caller = await authenticate(presented);
    const { roles } = request.routeOptions.config;
    if (roles !== 'anyone') requireRole(roles, caller.role);
    request.caller = caller;
  }
  // With a callback, and by the time alone: a request that came in one piece pays for no second look.
  app.addHook('preValidation', (request: FastifyRequest, _reply, done: (error?: Error) => void) => {
    const { presented, startedMs } = request;
    if (presented === null || clock.monotonic() - startedMs < BODY_LATE_MS) return done();
    proveAgain(request, presented).then(() => done(), done);
  });
  // Reached only if the hook above let an unknown route through.
  app.setNotFoundHandler((request) => {
    throw noSuchRoute(app, request);
  });
}

function noSuchRoute(app: App, { raw }: FastifyRequest): GatewayError {
  const methods = allowedMethods(app.routeTable, raw.url ?? '/');
  if (methods.length === 0) return new GatewayError('not_found');
  return new GatewayError('method_not_allowed', { headers: { Allow: methods.join(', ') } });
}

/** HTTP/1.1 asks for exactly one, so that whoever stands before us has read the same (RFC 9112, 3.2). */
function requireHost({ raw }: FastifyRequest): void {
  const { host } = raw.headers;
  if (host === undefined ? raw.httpVersion === '1.1' : isRepeated(raw.rawHeaders, 'host')) {
    const message = `The request has ${host === undefined ? 'no' : 'more than one'} \`Host\` header.`;
    throw wrongParam('Host', message);
  }
}

function requireRole(roles: Exclude<RouteRoles, 'anyone'> | undefined, role: Role): void {
  if (roles?.some((allowed) => allowed === role)) return;
  const needed = roles?.length ? `one of role ${roles.join(' or ')}` : 'none: it is open to nobody';
  throw new GatewayError('forbidden', { message: `A key of role ${role} may not do that; the route needs ${needed}.` });
}

function requireForm({ headers, routeOptions }: FastifyRequest): void {
  const { streams, operation } = routeOptions.config;
  const type = operation?.answers[200]?.mediaType === 'text/plain' ? 'text' : 'json';
  const acceptable = streams === true ? preferredType(headers.accept) !== null : accepts(type, headers.accept);
  if (!acceptable) throw new GatewayError('not_acceptable');
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') throw new GatewayError('unsupported_media_type');
}

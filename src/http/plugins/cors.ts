import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServesOrigin } from '../../access/origins.ts';
import { GatewayError } from '../../core/errors.ts';
import type { App } from '../app.ts';
import { setBaseHeaders } from '../reply.ts';
import { allowedMethods } from './route-table.ts';

const ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'Prefer',
  'Last-Event-ID',
  'traceparent',
  'tracestate',
  'x-request-id',
].join(', ');
/** `x-ratelimit-*` cannot be said in this header: these three are what most vendors call theirs, others are added to the answers that have them. */
const EXPOSED_HEADERS: readonly string[] = [
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'Retry-After',
  'RateLimit-Policy',
  'RateLimit',
  'x-request-id',
  'traceparent',
  'tracestate',
  'server-timing',
  'Location',
  'Preference-Applied',
  'Idempotent-Replayed',
];
const EXPOSE = 'access-control-expose-headers';
const EXPOSED = EXPOSED_HEADERS.join(', ');
/** How long a browser need not ask again. An origin that is no longer served is refused its requests all the same. */
const MAX_AGE_S = '600';
/** Answers differ by origin, so that a cache must not give one origin another's. */
const VARY = { vary: 'Origin' };

/** What an answer to a request with this `Origin` carries for its browser. */
export async function corsHeaders(origin: string, serves: ServesOrigin): Promise<Readonly<Record<string, string>>> {
  if (!(await serves(origin))) return VARY;
  return { ...VARY, 'access-control-allow-origin': origin, [EXPOSE]: EXPOSED };
}

/** Lets the page that may read this answer read one header more of it; `name` is in lower case. */
export function exposeHeader(reply: FastifyReply, name: string): void {
  const exposed = reply.getHeader(EXPOSE);
  if (exposed !== undefined && !EXPOSED_HEADERS.includes(name)) reply.header(EXPOSE, `${String(exposed)}, ${name}`);
}

/**
 * Lets pages of the origins that keys and the configuration name read answers, errors included; never with cookies, and
 * never everybody's. A request without `Origin` pays one look at its headers.
 *
 * `@fastify/cors` does not fit: it answers a refused preflight with 404, registers `OPTIONS *`, which makes every unknown
 * path a known one, does not know a route's methods, and sees neither what is shed before Fastify nor a URL that Fastify
 * cannot read, so that most of this would be written beside it. What Node's own parser refuses has no headers yet: that
 * answer alone no page can read.
 */
export function addCors(app: App, serves: ServesOrigin): void {
  // With a callback: a promise for every request would cost those too that come from no page.
  app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
    const { origin } = request.headers;
    if (origin === undefined) return done();
    setBaseHeaders(reply);
    if (isPreflight(request)) answerPreflight(app, { origin, serves }, { request, reply }).catch(done);
    else {
      corsHeaders(origin, serves).then((headers) => {
        reply.headers(headers);
        done();
      }, done);
    }
  });
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}

/** Throws `forbidden` for an origin that nobody named, and `not_found` where there is no such path. */
async function answerPreflight(
  app: App,
  { origin, serves }: { origin: string; serves: ServesOrigin },
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): Promise<void> {
  reply.headers(VARY);
  if (!(await serves(origin))) {
    const message =
      'No key, and not the configuration, names the origin of this page: see `rungate keys create --origin`.';
    throw new GatewayError('forbidden', { message, param: 'Origin' });
  }
  const methods = allowedMethods(app.routeTable, request.raw.url ?? '/');
  if (methods.length === 0) throw new GatewayError('not_found');
  reply.headers({
    'access-control-allow-origin': origin,
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': ALLOWED_HEADERS,
    'access-control-max-age': MAX_AGE_S,
  });
  reply.code(204).send();
}

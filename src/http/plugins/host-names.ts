import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { GatewayError } from '../../core/errors.ts';
import type { App } from '../app.ts';
import { setBaseHeaders } from '../reply.ts';

/** A name or an IPv4 address, or an IPv6 address in brackets; a port behind it. */
const HOST = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/;
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;

/**
 * On a listener that is bound to loopback, refuses requests whose `Host` is neither an IP address, `localhost` nor one of
 * `names` (in lower case). A web page anywhere can have its own name resolve to 127.0.0.1 (DNS rebinding), and its browser
 * then takes this listener for the page's own server; the name is what gives it away.
 */
export function addHostNames(app: App, names: readonly string[]): void {
  const known = new Set(['localhost', ...names]);
  app.addHook('onRequest', (request: FastifyRequest, reply, done: (error?: Error) => void) => {
    const { host } = request.headers;
    // Without one, it is no browser's.
    if (host === undefined || !isOnLoopback(app) || isKnown(host, known)) return done();
    setBaseHeaders(reply);
    done(
      new GatewayError('forbidden', {
        param: 'Host',
        message:
          'The admin API does not answer to the name in `Host`: ask it by IP address or as localhost, or have the operator add the name to RUNGATE_ADMIN_HOSTS.',
      }),
    );
  });
}

function isOnLoopback({ server }: App): boolean {
  const bound = server.address();
  return bound !== null && typeof bound === 'object' && LOOPBACK.test(bound.address);
}

function isKnown(host: string, known: ReadonlySet<string>): boolean {
  const [, literal, name = ''] = HOST.exec(host) ?? [];
  if (literal !== undefined) return isIP(literal) === 6;
  return isIP(name) === 4 || known.has(name.toLowerCase());
}

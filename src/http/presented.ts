import type { FastifyRequest } from 'fastify';
import type { ShownIdentity } from '../access/authenticate.ts';
import { TOKEN_PREFIX } from '../access/tokens.ts';
import { GatewayError, wrongParam } from '../core/errors.ts';
import { isRepeated } from './headers/is-repeated.ts';

/**
 * What a request shows of who it is. `?token=` counts on routes that say so, and nobody finds it in the query afterwards.
 * Throws `unauthorized` for a key in the URL, and `invalid_request` for two ways at once: which of them counts would be a
 * matter of taste, and whoever can add to a URL could choose in whose name the request is made. Likewise for a repeated
 * header: Node.js keeps the first, while a proxy in front may have checked another.
 */
export function presentedBy({ headers, raw, query, routeOptions }: FastifyRequest): ShownIdentity {
  const { authorization, origin = null } = headers;
  if (authorization !== undefined && isRepeated(raw.rawHeaders, 'authorization')) {
    const message = '`Authorization` was sent more than once; send it once.';
    throw wrongParam('Authorization', message);
  }
  const token = routeOptions.config.takesQueryToken === true ? takeToken(query as Record<string, unknown>) : null;
  if (token !== null && authorization !== undefined) {
    const message = '`token`: the request has an `Authorization` header too; send one of the two.';
    throw wrongParam('token', message);
  }
  return { authorization, token, origin };
}

function takeToken(query: Record<string, unknown>): string | null {
  const { token } = query;
  if (token === undefined) return null;
  delete query.token;
  if (typeof token !== 'string') {
    throw wrongParam('token', '`token` may be there once.');
  }
  if (token.startsWith(TOKEN_PREFIX)) return token;
  const message =
    '`?token=` takes a browser token (`rgt_…`) only; a key never goes into a URL, but into `Authorization`.';
  throw new GatewayError('unauthorized', { message });
}

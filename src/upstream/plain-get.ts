import type { PlainGet } from '../core/outbound.ts';
import { Call } from './call.ts';
import { invalidRequest } from './target.ts';

const URL_LENGTH_MAX = 4_096;

/**
 * Makes a call of a document that anybody may read. `https:` alone, unless the operator lets private networks in.
 * Throws `OutboundError` `invalid_request`, whose message never holds the URL.
 */
export function createPlainGet({ url, allowPrivateNetwork, timeoutMs }: PlainGet): Call {
  const parsed = url.length > URL_LENGTH_MAX ? null : URL.parse(url);
  if (parsed === null) throw invalidRequest('the URL is none, or too long');
  if (parsed.protocol !== 'https:' && !(parsed.protocol === 'http:' && allowPrivateNetwork)) {
    throw invalidRequest('the URL is not https');
  }
  if (parsed.username !== '' || parsed.password !== '') throw invalidRequest('the URL holds a user name or password');
  const { origin } = parsed;
  const call = new Call(
    {
      baseUrl: origin,
      allowPrivateNetwork,
      method: 'GET',
      path: '/',
      headers: { accept: 'application/json' },
      auth: { type: 'none' },
      credential: null,
      trace: null,
      connection: 'any',
      headersTimeoutMs: timeoutMs,
      bodyTimeoutMs: timeoutMs,
      totalTimeoutMs: timeoutMs,
    },
    { origin, basePath: '' },
    'plain',
  );
  call.path = parsed.pathname + parsed.search;
  return call;
}

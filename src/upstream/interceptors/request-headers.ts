import { HOP_HEADER } from '../../core/hop.ts';
import type { Auth } from '../../core/outbound.ts';
import { invalidRequest } from '../target.ts';
import { headerNameIsSafe, headerValueIsSafe } from './header-rules.ts';
import type { Interceptor } from './interceptor.ts';

/** Ours to write, or undici's, or meant for the hop before us; a kind that names one has a bug. */
const RESERVED = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  HOP_HEADER,
  'te',
  'trailer',
  'traceparent',
  'tracestate',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
]);

/**
 * Writes the headers that every vendor gets, and those that the provider kind asks for; nothing of a caller's is near.
 * `content-type` goes out without a body too: Draft & Goal's documents ask for it. No `accept-encoding`, so that an
 * answer can be scrubbed and measured as it comes.
 */
export function requestHeaders({ userAgent }: { userAgent: string }): Interceptor {
  const always = ['accept', 'application/json', 'content-type', 'application/json', 'user-agent', userAgent];
  always.push(HOP_HEADER, '1');
  return (dispatch) => (call, handler) => {
    for (const text of always) call.headers.push(text);
    const { headers, auth } = call.request;
    for (const name in headers) {
      const value = headers[name] ?? '';
      assertAllowed(name, value, auth);
      call.headers.push(name, value);
    }
    return dispatch(call, handler);
  };
}

function assertAllowed(name: string, value: string, auth: Auth): void {
  const lower = name.toLowerCase();
  if (!headerNameIsSafe(name) || !headerValueIsSafe(value)) throw invalidRequest('a header cannot be written');
  if (RESERVED.has(lower)) throw invalidRequest(`the header ${lower} is reserved`);
  if (auth.type === 'header' && auth.name.toLowerCase() === lower) {
    throw invalidRequest(`the header ${lower} belongs to the credential`);
  }
}

import { HOP_HEADER } from '../../core/hop.ts';
import type { Auth } from '../../core/outbound.ts';
import type { CallKind } from '../call.ts';
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
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
]);

/** Every form that can be read. An error, or an answer where a stream was asked for, comes as JSON. */
const ACCEPT_STREAMS = 'text/event-stream, application/x-ndjson, application/json, text/plain';

/**
 * Writes the headers that every vendor gets, and those that the provider kind asks for; nothing of a caller's is near.
 * `content-type` goes out without a body too: Draft & Goal's documents ask for it. No `accept-encoding`, so that an
 * answer can be scrubbed and measured as it comes.
 */
export function requestHeaders({ userAgent }: { userAgent: string }): Interceptor {
  const always = ['user-agent', userAgent, HOP_HEADER, '1'];
  const json = ['content-type', 'application/json', ...always];
  const byKind: Readonly<Record<CallKind, readonly string[]>> = {
    answer: ['accept', 'application/json', ...json],
    stream: ['accept', ACCEPT_STREAMS, ...json],
    upgrade: always,
    plain: always,
  };
  return (dispatch) => (call, handler) => {
    for (const text of byKind[call.kind]) call.headers.push(text);
    const { headers, auth } = call.request;
    for (const name in headers) {
      const value = headers[name] ?? '';
      // A plain call's were looked at when it was made: they are not a kind's, but a message's.
      if (call.kind !== 'plain') assertAllowed(name, value, auth);
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

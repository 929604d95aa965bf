import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { errorBody } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/error-catalogue.ts';
import type { TraceContext } from '../../core/outbound.ts';
import type { App, AppParts } from '../app.ts';
import { requestIdOf } from '../headers/request-id.ts';
import { readTraceContext } from '../headers/trace-context.ts';
import { baseHeaders, JSON_TYPE } from '../reply.ts';

// Not imported: an import reads every export of a built-in module, and one of this one's loads a whole HTTP client.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

type Parts = Pick<AppParts, 'ids' | 'log'>;

interface Refusal {
  code: ErrorCode;
  /** HTTP has statuses of its own for faults of its own; the envelope says the same. */
  status: number;
  message: string;
  headers?: Readonly<Record<string, string>>;
}

const MALFORMED: Refusal = { code: 'invalid_request', status: 400, message: 'The request is not well-formed HTTP.' };
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: { code: 'invalid_request', status: 431, message: 'The request’s headers are too large.' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    code: 'payload_too_large',
    status: 413,
    message: 'The chunk extensions are too large.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { code: 'invalid_request', status: 408, message: 'The request did not arrive in time.' },
};
const EXPECTATION: Refusal = {
  code: 'invalid_request',
  status: 417,
  message: 'The only expectation that can be met is `100-continue`.',
};
const NO_TUNNEL: Refusal = {
  code: 'method_not_allowed',
  status: 405,
  message: 'This server is no proxy.',
  headers: { allow: 'DELETE, GET, HEAD, POST' },
};

/** Answers what never becomes a request for Fastify: unmet expectations and CONNECT. */
export function addClientErrors(app: App, parts: Parts): void {
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    // It waits behind an earlier answer, as any number of others then could.
    if (response.socket === null) {
      request.socket.destroy();
      return;
    }
    const { head, body } = render(EXPECTATION, parts, sayingOf(request, parts));
    response.writeHead(EXPECTATION.status, head).end(body);
  });
  app.server.on('connect', (request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => socket.destroy());
    if (isAnswering(socket)) {
      socket.destroy();
      return;
    }
    writeRefusal(socket, NO_TUNNEL, parts, sayingOf(request, parts));
  });
}

/** Makes the handler for requests that the HTTP parser refused, or that never arrived whole. */
export function answerClientError(parts: Parts) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
      socket.destroy();
      return;
    }
    writeRefusal(socket, REFUSALS[error.code ?? ''] ?? MALFORMED, parts);
  };
}

/**
 * Whether an earlier request on this connection is still to be answered, or has been in part: bytes written
 * now would pass for its answer. A request whose own body is broken is not complete.
 */
function isAnswering(socket: Socket): boolean {
  const { _httpMessage: response } = socket as { _httpMessage?: ServerResponse | null };
  return response !== null && response !== undefined && (response.headersSent || response.req.complete);
}

/** What a request says of itself that its answer repeats. */
interface Saying {
  requestId: string;
  trace: TraceContext | null;
}

function sayingOf(request: IncomingMessage, { ids }: Parts): Saying {
  return { requestId: requestIdOf(request, ids), trace: readTraceContext(request.headers) };
}

function writeRefusal(socket: Socket, refusal: Refusal, parts: Parts, saying?: Saying): void {
  const { head, body } = render(refusal, parts, saying);
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  const statusLine = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n`;
  // `destroySoon` closes once the answer is written, whether or not the client ever closes.
  socket.write(`${statusLine}${lines.join('')}\r\n${body}`);
  socket.destroySoon();
}

/** Without `saying`: the parser has handed on no headers. */
function render(
  { code, status, message, headers }: Refusal,
  { ids, log }: Parts,
  { requestId, trace }: Saying = { requestId: ids.request(), trace: null },
) {
  log.info({ request_id: requestId, status }, 'request refused before it was read');
  const body = JSON.stringify({ error: { ...errorBody(code, { message, requestId }), status } });
  const head: Record<string, string> = {
    'content-type': JSON_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    ...baseHeaders(requestId, trace),
    connection: 'close',
    ...headers,
  };
  return { head, body };
}

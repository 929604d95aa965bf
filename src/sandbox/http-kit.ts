import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pause, type Clock } from '../core/clock.ts';
import { isJsonObject, parseJson, type Json, type JsonObject } from '../core/json.ts';

const REQUEST_BODY_BYTES_MAX = 8 * 1024 * 1024;

/** One request at a simulated vendor. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  header(name: string): string | null;
  /** The whole body. Throws `Refusal` 413 when it is over 8 MiB. */
  readBody(): Promise<Buffer>;
  /** Resolves after `ms`, or at once when the client has gone. */
  delay(ms: number): Promise<void>;
}

export interface Reply {
  status: number;
  headers: Readonly<Record<string, string>>;
  /** Null: no body, and no content type either. */
  body: string | null;
  /** Sent one after the other instead of `body`, chunked. */
  pieces?: AsyncIterable<string | Uint8Array>;
}

/** A request that the vendor refuses; its own `errorReply` gives the answer its shape. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message?: string,
    { code = null, headers = {} }: { code?: string | null; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** Reads an HTTP request as a `Call`; `url` was parsed from it. */
export function createCall(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  query: URLSearchParams,
  clock: Clock,
): Call {
  return {
    request,
    response,
    query,
    header: (name) => headerOf(request, name),
    readBody: () => readBody(request),
    async delay(ms) {
      if (ms <= 0 || response.destroyed) return;
      const gone = new AbortController();
      const leave = () => gone.abort();
      response.once('close', leave);
      await pause(clock, ms, gone.signal);
      response.off('close', leave);
    },
  };
}

/** One header of a request; null where there is none, or several. */
export function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > REQUEST_BODY_BYTES_MAX) throw new Refusal(413, 'The request body is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** A JSON answer. */
export function json(status: number, value: Json, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

/** Throws `Refusal` 400 where the request is not declared to be JSON. */
export function requireJsonType(call: Call): void {
  const type = (call.header('content-type') ?? '').split(';')[0] ?? '';
  if (type.trim().toLowerCase() !== 'application/json') {
    throw new Refusal(400, 'The Content-Type header must be application/json.');
  }
}

/** Reads the body as a JSON object that is declared as JSON; throws `Refusal` 400 otherwise. */
export function jsonObjectIn(call: Call, body: Uint8Array): JsonObject {
  requireJsonType(call);
  const parsed = parseJson(body);
  if (!parsed.ok) throw new Refusal(400, 'The request body is not valid JSON.');
  if (!isJsonObject(parsed.value)) throw new Refusal(400, 'The request body must be a JSON object.');
  return parsed.value;
}

/**
 * Throws `Refusal` 401 unless the request carries `Authorization: Bearer <one of the keys>`; returns the key. What
 * follows a key behind `suffix` is the client's wish for a fault, and does not make it a wrong one.
 */
export function requireBearer(
  call: Pick<Call, 'header'>,
  keys: readonly string[],
  message?: string,
  suffix?: string,
): string {
  const token = /^bearer +(\S+)$/i.exec(call.header('authorization') ?? '')?.[1];
  const key = suffix === undefined ? token : token?.split(suffix)[0];
  if (token === undefined || key === undefined || !keys.includes(key)) throw new Refusal(401, message);
  return token;
}

/** A server that listens. */
export interface Listening {
  origin: string;
  close(): Promise<void>;
}

export interface Listener {
  request: (request: IncomingMessage, response: ServerResponse) => void;
  /** A client that wants a WebSocket. */
  upgrade?: (request: IncomingMessage, stream: Duplex, head: Buffer) => void;
}

/** Listens at `port` (0: any free one); rejects where it is taken. */
export function listen(listener: Listener, { host, port }: { host: string; port: number }): Promise<Listening> {
  const server = createServer((request, response) => listener.request(request, response));
  const { upgrade } = listener;
  if (upgrade) server.on('upgrade', (request, stream, head) => upgrade(request, stream, head));
  // The server forgets a connection that was upgraded.
  const connections = new Set<Socket>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      const { port: actual } = server.address() as AddressInfo;
      const origin = `http://${host.includes(':') ? `[${host}]` : host}:${actual}`;
      resolve({ origin, close: () => closeServer(server, connections) });
    });
  });
}

function closeServer(server: Server, connections: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of connections) socket.destroy();
  });
}

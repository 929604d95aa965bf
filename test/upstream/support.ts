import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../src/core/clock.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import type { LogFields } from '../../src/core/log.ts';
import {
  OutboundError,
  type Outbound,
  type OutboundAnswer,
  type OutboundRequest,
  type OutboundStream,
  type PlainPost,
  type StreamAnswer,
  type StreamFormat,
  type StreamFrame,
  type StreamRequest,
} from '../../src/core/outbound.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { Secret } from '../../src/core/secret.ts';
import { NO_TRACING, type Tracing } from '../../src/core/tracing.ts';
import { createUpstream } from '../../src/upstream/create-upstream.ts';
import type { UpstreamLimits } from '../../src/upstream/limits.ts';
import { upstreamLimits } from '../../src/app/limits.ts';
import { loadSettings } from '../../src/config/load-settings.ts';

/** As the settings have them where nothing is set. */
export const UPSTREAM_LIMITS = upstreamLimits(loadSettings({}).limits);

/** Long, and with every character that JSON, URLs and base64 write differently. */
export const SECRET = 'sk-live/7f+Q=="Zr\\9 k~42';

export interface Listening {
  port: number;
  /** `http://127.0.0.1:port` */
  origin: string;
  /** Connections accepted so far. */
  connections(): number;
}

/** Listens on loopback until the test ends; then every socket is destroyed. */
export async function listen(server: Server, scheme = 'http'): Promise<Listening> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { port, origin: `${scheme}://127.0.0.1:${port}`, connections: () => connections };
}

export function httpServer(listener: RequestListener): Promise<Listening> {
  return listen(createHttpServer({ keepAliveTimeout: 60_000 }, listener));
}

export interface RawRequest {
  /** Which connection, and which request on it, both from 1. */
  connection: number;
  nth: number;
  head: string;
  socket: Socket;
}

/** A server that speaks bytes: called once for each complete request. */
export async function rawServer(onRequest: (request: RawRequest) => void): Promise<Listening & { requests(): number }> {
  let connection = 0;
  let requests = 0;
  const server = createTcpServer((socket) => {
    const mine = ++connection;
    let nth = 0;
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = endOfRequest(text); end > 0; end = endOfRequest(text)) {
        const head = text.slice(0, end);
        text = text.slice(end);
        requests++;
        onRequest({ connection: mine, nth: ++nth, head, socket });
      }
    });
  });
  return { ...(await listen(server)), requests: () => requests };
}

function endOfRequest(text: string): number {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return 0;
  const length = Number(/content-length: (\d+)/i.exec(text.slice(0, headEnd))?.[1] ?? 0);
  return text.length >= headEnd + 4 + length ? headEnd + 4 + length : 0;
}

/** A whole HTTP answer as bytes. */
export function answerText(body: string, { status = '200 OK', headers = [] as string[] } = {}): string {
  return [`HTTP/1.1 ${status}`, `content-length: ${Buffer.byteLength(body)}`, ...headers, '', body].join('\r\n');
}

export interface TestUpstream extends Outbound {
  close(): Promise<void>;
  logged: { fields: LogFields; message: string }[];
  /** Sends to `origin`, which passes the guard. */
  call(origin: string, overrides?: Partial<OutboundRequest>, signal?: AbortSignal): Promise<OutboundAnswer>;
  /** Opens a stream there; `format` says how it is read, or that it is a WebSocket. */
  open(origin: string, overrides?: StreamOverrides, signal?: AbortSignal): Promise<StreamAnswer>;
  /** The same, where it must be a stream. */
  stream(origin: string, overrides?: StreamOverrides, signal?: AbortSignal): Promise<OutboundStream>;
}

export type StreamOverrides = Partial<Omit<StreamRequest, 'format'>> & { format?: StreamFormat | null };

export function testUpstream({
  limits = {},
  clock = systemClock,
  loopback = true,
  tracing = NO_TRACING,
}: { limits?: Partial<UpstreamLimits>; clock?: Clock; loopback?: boolean; tracing?: Tracing } = {}): TestUpstream {
  const allowedLoopback = new Set<string>();
  const logged: TestUpstream['logged'] = [];
  const note = (fields: LogFields, message: string) => void logged.push({ fields, message });
  const upstream = createUpstream({
    clock,
    random: createSystemRandom(),
    log: { debug: note, info: note, warn: note, error: note },
    tracing,
    limits: { ...UPSTREAM_LIMITS, ...limits },
    guard: { allowedLoopback },
    version: '9.9.9',
  });
  onTestFinished(() => upstream.close());
  const open: TestUpstream['open'] = (
    origin,
    { format = 'sse', ...overrides } = {},
    signal = new AbortController().signal,
  ) => {
    if (loopback) allowedLoopback.add(origin.replace('http://', ''));
    return upstream.openStream({ ...requestTo(origin), via: 'http', format: () => format, ...overrides }, signal);
  };
  return {
    send: (request, signal) => upstream.send(request, signal),
    openStream: (request, signal) => upstream.openStream(request, signal),
    post: (post, signal) => upstream.post(post, signal),
    close: () => upstream.close(),
    logged,
    call(origin, overrides = {}, signal = new AbortController().signal) {
      if (loopback) allowedLoopback.add(origin.replace('http://', ''));
      return upstream.send(requestTo(origin, overrides), signal);
    },
    open,
    async stream(origin, overrides, signal) {
      const answer = await open(origin, overrides, signal);
      if (answer.is === 'stream') return answer.stream;
      throw new Error(`expected a stream, got ${JSON.stringify(answer)}`);
    },
  };
}

export function requestTo(origin: string, overrides: Partial<OutboundRequest> = {}): OutboundRequest {
  return {
    baseUrl: origin,
    allowPrivateNetwork: false,
    method: 'POST',
    path: '/run',
    body: { inputs: {} },
    auth: { type: 'bearer' },
    credential: sealed(origin),
    trace: null,
    connection: 'start',
    headersTimeoutMs: 5_000,
    bodyTimeoutMs: 5_000,
    ...overrides,
  };
}

export function sealed(origin: string, value = SECRET) {
  return { id: 'cred_1', origin: URL.parse(origin)?.origin ?? origin, open: async () => new Secret(value) };
}

/** Everything that a stream brings; `error` is how it ended, null where it ended in order. */
export async function readAll(stream: OutboundStream): Promise<{ frames: StreamFrame[]; error: OutboundError | null }> {
  const frames: StreamFrame[] = [];
  try {
    for await (const frame of stream.frames) frames.push(frame);
  } catch (error) {
    if (error instanceof OutboundError) return { frames, error };
    throw error;
  }
  return { frames, error: null };
}

export function postTo(url: string, overrides: Partial<PlainPost> = {}): PlainPost {
  const headers = { 'content-type': 'application/json', 'webhook-id': 'msg_1' };
  return { url, headers, body: '{"type":"run.succeeded"}', allowPrivateNetwork: true, timeoutMs: 5_000, ...overrides };
}

/** The error of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<OutboundError> {
  const error = await call.then(
    (value) => new Error(`expected a failure, got ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof OutboundError) return error;
  throw error;
}

export function jsonOf(answer: OutboundAnswer): Json {
  if (answer.body.kind !== 'json') throw new Error(`expected JSON, got ${JSON.stringify(answer.body)}`);
  return answer.body.value;
}

/** Answers 200 with what `describe` makes of the request and its body. */
export function echo(describe: (request: IncomingMessage, body: string) => JsonObject): RequestListener {
  return (request, reply) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => reply.end(JSON.stringify(describe(request, body))));
  };
}

/** A promise to be kept from outside. */
export function signalled<T = void>() {
  return Promise.withResolvers<T>();
}

/** Heads of answers that are streams. */
export const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n';
export const CHUNKED = `${HEAD}transfer-encoding: chunked\r\n\r\n`;

/** One chunk of a chunked body. */
export function chunk(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

/** Answers with `first` and leaves the rest to the test. */
export async function holding(first: string) {
  const arrived = signalled<Socket>();
  const closed = signalled();
  const server = await rawServer(({ socket }) => {
    socket.once('close', () => closed.resolve());
    socket.write(first);
    arrived.resolve(socket);
  });
  return { server, arrived: arrived.promise, closed: closed.promise };
}

import { randomInt } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pause, systemClock } from '../../../../src/core/clock.ts';
import { acceptSocket } from '../../../../src/sandbox/web-socket.ts';
import { echoOf, escapedJson, headerEchoOf } from './echo-texts.ts';
import { isStatus, SCENES, successOf, type Scene } from './scenes.ts';

/** One server for vendors of every kind: it says in every place what it was shown. */
export interface EchoServer extends AsyncDisposable {
  origin: string;
  /** Secrets that it made and gave out itself. */
  made: readonly string[];
  /** What it was shown that was not among its own. */
  shown: ReadonlySet<string>;
  /** How often each scene was played, by vendor. */
  played: ReadonlyMap<string, number>;
}

const CHARACTERS_IN_PIECE_MAX = 9;
const HEADERS = [
  'x-request-id',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'www-authenticate',
  'set-cookie',
  'etag',
  'x-echo',
  'retry-after',
  'link',
  'content-disposition',
  'traceparent',
];

export async function startEchoServer(): Promise<EchoServer> {
  const made: string[] = [];
  const shown = new Set<string>();
  const played = new Map<string, number>();
  const turns = new Map<string, number>();
  const sockets = new Set<Socket>();

  /** The scenes by turns, each vendor's for itself, so that every one of them comes. */
  function nextScene(kind: string): Scene {
    const turn = turns.get(kind) ?? 0;
    turns.set(kind, turn + 1);
    const scene = SCENES[turn % SCENES.length] ?? 'fine';
    played.set(`${kind} ${scene}`, (played.get(`${kind} ${scene}`) ?? 0) + 1);
    return scene;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://vendor');
    const secrets = secretsIn(request, url);
    for (const secret of secrets) shown.add(secret);
    await buffer(request);
    const kind = url.pathname.split('/')[1] ?? '';
    const path = url.pathname.slice(kind.length + 1);
    if (path === '/api/v1/token') {
      const token = `mk-vendor-token-${crypto.randomUUID()}`;
      made.push(token);
      return sendJson(response, 200, { success: true, token, ttl: 60, echo: echoOf(secrets) });
    }
    await play(nextScene(kind), { request, response, kind, path, secrets });
  }

  async function upgrade(request: IncomingMessage, stream: Duplex): Promise<void> {
    const secrets = secretsIn(request, new URL(request.url ?? '/', 'http://vendor'));
    for (const secret of secrets) shown.add(secret);
    const scene = nextScene('interactly-ws');
    if (isStatus(scene)) {
      const echo = headerEchoOf(secrets);
      const status = scene.slice('status-'.length);
      return void stream.end(
        `HTTP/1.1 ${status} ${echo}\r\nx-request-id: ${echo}\r\nlocation: http://127.0.0.1:9/${encodeURIComponent(echo)}\r\ncontent-length: ${echo.length}\r\n\r\n${echo}`,
      );
    }
    await talk(acceptSocket(request, stream, systemClock), { secrets, scene });
  }

  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, stream) => void upgrade(request, stream).catch(() => stream.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    made,
    shown,
    played,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Asked {
  request: IncomingMessage;
  response: ServerResponse;
  kind: string;
  /** Without the vendor's name in front. */
  path: string;
  secrets: readonly string[];
}

async function play(scene: Scene, { request, response, kind, path, secrets }: Asked): Promise<void> {
  const echo = echoOf(secrets);
  const inHeader = headerEchoOf(secrets);
  if (scene !== 'fine' && scene !== 'escaped') for (const name of HEADERS) response.setHeader(name, inHeader);
  const success = successOf(kind, { method: request.method ?? 'GET', path, echo });
  if (isStatus(scene)) {
    response.statusMessage = inHeader;
    return sendJson(response, Number(scene.slice('status-'.length)), faultOf(secrets));
  }
  switch (scene) {
    case 'fine':
      return sendJson(response, 200, success);
    case 'escaped':
      return sendText(response, 200, 'application/json', escapedJson(success));
    case 'html':
      return sendText(response, 200, 'text/html', `<html><body><pre>${echo}</pre></body></html>`);
    case 'not-json':
      return sendText(response, 200, 'application/json', `{"echo": ${echo}`);
    case 'stream':
    case 'stream-escaped':
    case 'stream-cut':
      return writePieces(response, { text: echo, scene });
    case 'cut-in-body':
      response.writeHead(200, inHeader, { 'content-type': 'application/json', 'content-length': '100000' });
      response.write(`{"echo":"${secrets[0]?.slice(0, -3)}`);
      await pause(systemClock, 20);
      return void response.destroy();
    case 'reset':
      return void request.socket.resetAndDestroy();
    case 'silent':
      return;
    case 'redirect':
      response.setHeader('location', `http://127.0.0.1:9/?key=${encodeURIComponent(inHeader)}`);
      return sendJson(response, 307, { moved: echo });
  }
}

/** The words in which vendors complain of a key. */
function faultOf(secrets: readonly string[]): object {
  const [first = ''] = secrets;
  const echo = echoOf(secrets);
  const error = { message: `Incorrect API key provided: ${echo}`, code: first, type: echo, [first]: echo };
  return {
    success: false,
    code: echo,
    requestId: headerEchoOf(secrets).slice(0, 200),
    message: `bad key ${echo}`,
    error,
  };
}

async function writePieces(response: ServerResponse, { text, scene }: { text: string; scene: Scene }): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const write = scene === 'stream-escaped' ? escapedJson : JSON.stringify;
  // A step of a run is told whole.
  response.write(`event: step\ndata: ${write({ name: text, data: { [text]: text } })}\n\n`);
  const pieces = piecesOf(text);
  for (const [i, piece] of pieces.entries()) {
    if (scene === 'stream-cut' && i > pieces.length / 2) return void response.destroy();
    // Pieces of the text, in frames that are in pieces themselves.
    const frame = Buffer.from(
      `event: ${i % 7 === 0 ? 'step' : 'message'}\ndata: ${write({ text: piece, name: piece, delta: piece })}\n\n`,
    );
    const at = randomInt(1, frame.length);
    response.write(frame.subarray(0, at));
    if (i % 16 === 0) await pause(systemClock, 1);
    response.write(frame.subarray(at));
  }
  response.end('data: [DONE]\n\n');
}

async function talk(
  socket: ReturnType<typeof acceptSocket>,
  { secrets, scene }: { secrets: readonly string[]; scene: Scene },
): Promise<void> {
  await socket.next();
  const say = (type: string, fields: object = {}) => socket.send(JSON.stringify({ type, ...fields }));
  for (const content of piecesOf(echoOf(secrets)))
    await say('assistant_response', { origin_node_run_id: 'n', content });
  await say('agent_step', { content: echoOf(secrets), [secrets[0] ?? 'x']: secrets[0] ?? '' });
  await socket.send(`no JSON, but ${secrets[0]}`);
  if (scene === 'reset' || scene === 'silent') return socket.cut('reset');
  if (scene === 'html' || scene === 'not-json') await say('workflow_error', { error_message: echoOf(secrets) });
  else await say('end_workflow', { status: 'completed' });
  await socket.close(scene === 'stream-cut' ? 1011 : 1000, (secrets[0] ?? '').slice(0, 120));
}

/** What a request shows: our credential, or a token that was made here. */
function secretsIn({ headers }: IncomingMessage, url: URL): string[] {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
  const own = headers['x-api-key'];
  const token = url.searchParams.get('token');
  const found = [bearer, typeof own === 'string' ? own : undefined, token ?? undefined];
  return [...new Set(found.filter((one) => one !== undefined))];
}

function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = randomInt(1, CHARACTERS_IN_PIECE_MAX);
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  sendText(response, status, 'application/json', JSON.stringify(body));
}

function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  response.statusCode = status;
  response.setHeader('content-type', type);
  response.end(text);
}

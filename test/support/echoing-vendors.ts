import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { pause, systemClock } from '../../src/core/clock.ts';
import { isJsonObject, reviveJson, type Json, type JsonObject } from '../../src/core/json.ts';
import { acceptSocket, type ServerSocket } from '../../src/sandbox/web-socket.ts';

/** What a run's inputs ask of the vendor. */
export interface EchoOrder {
  /** Which of our secrets it is to say. */
  echo: 'credential' | 'token';
  /** How an HTTP stream is written; a WebSocket has one way only. */
  format: 'text' | 'data' | 'ui' | 'sse' | 'ndjson';
  /** What comes once everything was said. */
  end: 'succeeds' | 'fails' | 'waits' | 'breaks';
}

/** Vendors of both streaming kinds on one address, which say what they were shown, a few characters at a time. */
export interface EchoingVendors {
  origin: string;
  /** Every token that was given out. */
  tokens(): readonly string[];
  close(): Promise<void>;
}

const PIECE_CHARACTERS = 5;
const RUN_ID = '5eb7cf5a86d9755df3a6c593';
const NODE: JsonObject = { origin_node_run_id: 'node_run_1' };

/** How the pieces of an answer are written, and its end and its failure, where there are words for them. */
interface Written {
  type: string;
  header?: readonly [string, string];
  piece(text: string): string;
  succeeds: string;
  fails: string | null;
}

const line = (value: Json): string => `${JSON.stringify(value)}\n`;
const event = (value: Json): string => `data: ${JSON.stringify(value)}\n\n`;

const FORMATS: Readonly<Record<EchoOrder['format'], Written>> = {
  text: { type: 'text/plain', piece: (text) => text, succeeds: '', fails: null },
  data: {
    type: 'text/plain',
    header: ['x-vercel-ai-data-stream', 'v1'],
    piece: (text) => `0:${line(text)}`,
    succeeds: `d:${line({ finishReason: 'stop' })}`,
    fails: `3:${line('It broke.')}`,
  },
  ui: {
    type: 'text/event-stream',
    header: ['x-vercel-ai-ui-message-stream', 'v1'],
    piece: (delta) => event({ type: 'text-delta', id: '0', delta }),
    succeeds: event({ type: 'finish' }),
    fails: event({ type: 'error', errorText: 'It broke.' }),
  },
  sse: {
    type: 'text/event-stream',
    piece: (text) => event({ text }),
    succeeds: 'data: [DONE]\n\n',
    fails: `event: error\n${event({ error: 'It broke.' })}`,
  },
  ndjson: {
    type: 'application/x-ndjson',
    piece: (text) => line({ text }),
    succeeds: line({ done: true }),
    fails: line({ error: 'It broke.' }),
  },
};

/** What a vendor says of a secret. */
export function sentenceWith(secret: string): string {
  return `It is ${secret}, they say.`;
}

/** Starts them on loopback. */
export async function startEchoingVendors(): Promise<EchoingVendors> {
  /** By token, the credential that it was had for. */
  const shown = new Map<string, string>();
  const server = createServer((request, response) => {
    void answer(request, response, shown).catch(() => response.destroy());
  });
  server.on('upgrade', (request, stream) => {
    void talk(acceptSocket(request, stream, systemClock), bearerOf(request)).catch(() => stream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tokens: () => [...shown.keys()],
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** AI Tutor: a token is had for the credential, and shown to the stream. */
async function answer(request: IncomingMessage, response: ServerResponse, shown: Map<string, string>): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://vendor');
  if (url.pathname === '/api/v1/token') {
    const token = `pub_tok_${randomUUID()}`;
    shown.set(token, bearerOf(request));
    response.setHeader('content-type', 'application/json');
    return void response.end(JSON.stringify({ success: true, token, ttl: 60 }));
  }
  if (!url.pathname.endsWith('/stream')) return void response.writeHead(404).end();
  const order = (await json(request)) as EchoOrder;
  const written = FORMATS[order.format];
  response.setHeader('content-type', written.type);
  if (written.header) response.setHeader(...written.header);
  const token = url.searchParams.get('token') ?? '';
  for (const piece of piecesOf(order.echo === 'token' ? token : (shown.get(token) ?? ''))) {
    response.write(written.piece(piece));
    await pause(systemClock, 1);
  }
  if (order.end === 'breaks' || (order.end === 'fails' && written.fails === null)) return void response.destroy();
  response.end(order.end === 'fails' ? written.fails : written.succeeds);
}

/** Interactly: the credential is in the handshake. */
async function talk(socket: ServerSocket, credential: string): Promise<void> {
  const start = reviveJson<JsonObject>((await socket.next()) ?? '{}');
  const { dynamic_variables: order } = start;
  const end = isJsonObject(order) ? (order.end as EchoOrder['end']) : 'succeeds';
  const say = (type: string, fields: JsonObject = {}) => socket.send(JSON.stringify({ type, ...fields }));
  // Only who waits must have a name; any other run's record would be asked for.
  const named = end === 'waits' ? { workflow_run_id: RUN_ID } : {};
  await socket.send(JSON.stringify({ message: 'Workflow run accepted', ...named }));
  for (const content of piecesOf(credential)) await say('assistant_response', { ...NODE, content });
  switch (end) {
    case 'breaks':
      await socket.delay(5);
      return socket.cut('end');
    case 'waits':
      await say('workflow_ready_for_input');
      break;
    case 'fails':
      await say('workflow_error', { error_message: 'It broke.' });
      break;
    case 'succeeds':
      await say('end_workflow', { status: 'completed' });
  }
  await socket.close(1000);
}

function bearerOf({ headers }: IncomingMessage): string {
  return (headers.authorization ?? '').replace(/^bearer /i, '');
}

function piecesOf(secret: string): string[] {
  return sentenceWith(secret).match(new RegExp(`.{1,${PIECE_CHARACTERS}}`, 'gs')) ?? [];
}

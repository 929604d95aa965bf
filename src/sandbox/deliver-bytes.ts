import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Damage } from './damages.ts';
import type { Call, Reply } from './http-kit.ts';

/** In so many pieces comes what is to come slowly. */
const DRIPS = 20;

/** Sends an answer of a status below 200, behind which the final one is expected. */
export function sendInterim({ socket }: ServerResponse, status: number): void {
  const headers = status === 101 ? 'connection: upgrade\r\nupgrade: something-else\r\n' : 'link: </style.css>\r\n';
  socket?.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Interim'}\r\n${headers}\r\n`);
}

/** Sends a whole answer, a part of it slowly; its connection is closed behind it. */
export async function drip(call: Call, reply: Reply, { part, ms }: Damage & { kind: 'drip' }): Promise<void> {
  const head = headOf(
    call.response,
    { ...reply.headers, 'content-length': Buffer.byteLength(reply.body ?? '') },
    reply,
  );
  const body = Buffer.from(reply.body ?? '');
  await writePart(call, head, part === 'headers' ? ms : 0);
  await writePart(call, body, part === 'body' ? ms : 0);
  call.response.socket?.end();
}

/** Sends half of the answer as one chunk, then what is no chunk. */
export function sendBrokenChunks(response: ServerResponse, reply: Reply): void {
  const whole = Buffer.from(reply.body ?? '{"half":"of an answer"}');
  const half = whole.subarray(0, Math.ceil(whole.length / 2));
  const head = headOf(response, { ...reply.headers, 'transfer-encoding': 'chunked' }, reply);
  const chunks = [Buffer.from(`${half.length.toString(16)}\r\n`), half, Buffer.from('\r\nno size\r\n')];
  response.socket?.end(Buffer.concat([head, ...chunks]));
}

/** Written by hand, as Node writes heads at once; with what was set on the response before. */
function headOf(
  response: ServerResponse,
  headers: Readonly<Record<string, string | number>>,
  { status }: Reply,
): Buffer {
  const all = { ...response.getHeaders(), ...headers, connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${String(value)}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'OK'}\r\n${lines.join('')}\r\n`);
}

async function writePart(call: Call, bytes: Buffer, ms: number): Promise<void> {
  const length = ms === 0 ? bytes.length : Math.ceil(bytes.length / DRIPS);
  for (let at = 0; at < bytes.length; at += length) {
    const { socket } = call.response;
    if (!socket || socket.destroyed) return;
    socket.write(bytes.subarray(at, at + length));
    await call.delay(ms / DRIPS);
  }
}

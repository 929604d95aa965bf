import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { listen, signalled, type Listening } from './support.ts';

/** The vendor's end of one WebSocket, byte by byte. */
export interface Peer {
  request: IncomingMessage;
  socket: Socket;
  /** Resolves with the next frame that came from us; null where the connection closed first. */
  next(): Promise<{ opcode: number; payload: Buffer } | null>;
  send(text: string): void;
  close(code?: number): void;
}

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** A frame as a server writes it: not masked. */
export function frame(opcode: number, payload: string | Buffer, { fin = true } = {}): Buffer {
  const bytes = Buffer.from(payload as string);
  const first = (fin ? 0x80 : 0) | opcode;
  if (bytes.length < 126) return Buffer.concat([Buffer.from([first, bytes.length]), bytes]);
  const head = Buffer.alloc(bytes.length < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = bytes.length < 65_536 ? 126 : 127;
  if (bytes.length < 65_536) head.writeUInt16BE(bytes.length, 2);
  else head.writeBigUInt64BE(BigInt(bytes.length), 2);
  return Buffer.concat([head, bytes]);
}

export function closeFrame(code?: number): Buffer {
  const payload = Buffer.alloc(code === undefined ? 0 : 2);
  if (code !== undefined) payload.writeUInt16BE(code);
  return frame(CLOSE, payload);
}

/** Accepts every handshake, with `headers` in its answer, and hands the connection to `onPeer`. */
export async function webSocketServer(
  onPeer: (peer: Peer) => void,
  { headers = [] as string[], accept = acceptOf } = {},
): Promise<Listening> {
  const server = createServer((_request, reply) => reply.writeHead(426).end());
  server.on('upgrade', (request, socket: Socket, head: Buffer) => {
    const lines = ['HTTP/1.1 101 Switching Protocols', 'upgrade: websocket', 'connection: keep-alive, Upgrade'];
    lines.push(`sec-websocket-accept: ${accept(request.headers['sec-websocket-key'] ?? '')}`, ...headers, '', '');
    // node:http leaves the other half of an upgraded connection open.
    socket.on('error', () => {}).on('end', () => socket.end());
    socket.write(lines.join('\r\n'));
    onPeer(createPeer(request, socket, head));
  });
  return listen(server);
}

function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

function createPeer(request: IncomingMessage, socket: Socket, head: Buffer): Peer {
  let bytes = head;
  let closed = false;
  let wake = () => {};
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    wake();
  });
  socket.on('close', () => {
    closed = true;
    wake();
  });
  const take = () => {
    const short = (bytes[1] ?? 0) & 0x7f;
    const headLength = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < headLength + 4) return null;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    const from = headLength + 4;
    if (bytes.length < from + length) return null;
    const mask = bytes.subarray(headLength, from);
    const payload = Buffer.from(bytes.subarray(from, from + length).map((byte, i) => byte ^ (mask[i % 4] ?? 0)));
    const opcode = (bytes[0] ?? 0) & 0x0f;
    bytes = bytes.subarray(from + length);
    return { opcode, payload };
  };
  return {
    request,
    socket,
    async next() {
      for (;;) {
        const taken = take();
        if (taken !== null || closed) return taken;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    send: (text) => void socket.write(frame(TEXT, text)),
    close: (code) => void socket.write(closeFrame(code)),
  };
}

/** Resolves with the one connection that the test makes. */
export async function onePeer(options?: Parameters<typeof webSocketServer>[1]) {
  const arrived = signalled<Peer>();
  const closed = signalled();
  const server = await webSocketServer((peer) => {
    peer.socket.once('close', () => closed.resolve());
    arrived.resolve(peer);
  }, options);
  return { server, peer: arrived.promise, closed: closed.promise };
}

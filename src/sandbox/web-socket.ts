import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { pause, type Clock } from '../core/clock.ts';
import { Refusal } from './http-kit.ts';
import { createFrameReader, encodeFrame, FrameFault, OPCODES, type Frame } from './web-socket-frames.ts';

const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
const REASON_BYTES_MAX = 123;
/** A peer that does not answer our close. */
const CLOSE_WAIT_MS = 1_000;
/** RFC 6455, section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The server's end of a WebSocket, RFC 6455, without extensions. */
export interface ServerSocket {
  /** The next text message; null: the client has closed, or broken the protocol. */
  next(): Promise<string | null>;
  /** Sends a text, in two frames where `inParts`; resolves when the client takes more. */
  send(text: string | Uint8Array, options?: { inParts?: boolean }): Promise<void>;
  ping(): void;
  /** Says goodbye and waits a moment for the answer. */
  close(code: number, reason?: string): Promise<void>;
  /** Destroys the connection; `reset`: with an RST. */
  cut(how: 'end' | 'reset'): void;
  /** Resolves after `ms`, or at once when the client has gone. */
  delay(ms: number): Promise<void>;
  readonly gone: boolean;
}

/** Answers the handshake. Throws `Refusal` where the request is none. */
export function acceptSocket(request: IncomingMessage, stream: Duplex, clock: Clock): ServerSocket {
  const { headers } = request;
  const key = headers['sec-websocket-key'];
  const version = headers['sec-websocket-version'];
  if (version !== '13')
    throw new Refusal(426, 'WebSocket version 13 is needed', { headers: { 'sec-websocket-version': '13' } });
  if (headers.upgrade?.toLowerCase() !== 'websocket' || Buffer.from(key ?? '', 'base64').length !== 16) {
    throw new Refusal(400, 'This is no WebSocket handshake');
  }
  const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
  stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
  );
  return openSocket(stream, clock);
}

function openSocket(stream: Duplex, clock: Clock): ServerSocket {
  const left = new AbortController();
  const inbox = createInbox();
  let closing = false;
  function sendClose(code: number, reason: string): void {
    if (closing) return;
    closing = true;
    const text = Buffer.from(reason).subarray(0, REASON_BYTES_MAX);
    const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), text]);
    stream.write(encodeFrame(OPCODES.close, payload));
  }
  function gone(): void {
    left.abort();
    inbox.end();
  }
  const take = createTaker({
    text: (message) => inbox.add(message),
    pong: (payload) => stream.write(encodeFrame(OPCODES.pong, payload)),
    closed(code) {
      sendClose(code, '');
      stream.end();
      gone();
    },
  });
  stream.on('data', take);
  stream.on('error', gone);
  stream.on('close', gone);
  return {
    next: () => inbox.next(),
    async send(text, { inParts = false } = {}) {
      if (left.signal.aborted || closing) return;
      const bytes = Buffer.from(text);
      const middle = inParts ? Math.ceil(bytes.length / 2) : bytes.length;
      let taken = stream.write(encodeFrame(OPCODES.text, bytes.subarray(0, middle), { final: !inParts }));
      if (inParts) taken = stream.write(encodeFrame(OPCODES.continuation, bytes.subarray(middle)));
      if (!taken) await once(stream, 'drain', { signal: left.signal }).catch(() => undefined);
    },
    ping: () => void stream.write(encodeFrame(OPCODES.ping, Buffer.from('still here'))),
    async close(code, reason = '') {
      sendClose(code, reason);
      await pause(clock, CLOSE_WAIT_MS, left.signal);
      stream.destroy();
    },
    cut(how) {
      if (how === 'reset' && 'resetAndDestroy' in stream) (stream as { resetAndDestroy(): void }).resetAndDestroy();
      else stream.destroy();
    },
    delay: (ms) => pause(clock, ms, left.signal),
    get gone() {
      return left.signal.aborted;
    },
  };
}

/** Puts frames together to messages; answers pings and closes. */
function createTaker(to: {
  text(message: string): void;
  pong(payload: Buffer): void;
  closed(code: number): void;
}): (chunk: Buffer) => void {
  const read = createFrameReader(MESSAGE_BYTES_MAX);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let parts: Buffer[] | null = null;
  let over = false;
  function takeFrame({ opcode, final, payload }: Frame): void {
    switch (opcode) {
      case OPCODES.ping:
        return to.pong(payload);
      case OPCODES.pong:
        return;
      case OPCODES.close:
        over = true;
        return to.closed(payload.length >= 2 ? payload.readUInt16BE(0) : 1000);
      case OPCODES.binary:
        throw new FrameFault(1003, 'only text is understood');
    }
    if ((opcode === OPCODES.text) !== (parts === null)) throw new FrameFault(1002, 'a message was not finished');
    parts = [...(parts ?? []), payload];
    if (parts.reduce((sum, part) => sum + part.length, 0) > MESSAGE_BYTES_MAX) throw new FrameFault(1009, 'too large');
    if (!final) return;
    const message = Buffer.concat(parts);
    parts = null;
    to.text(decoder.decode(message));
  }
  return (chunk) => {
    if (over) return;
    try {
      for (const frame of read(chunk)) takeFrame(frame);
    } catch (error) {
      over = true;
      to.closed(error instanceof FrameFault ? error.code : 1007);
    }
  };
}

function createInbox() {
  const messages: string[] = [];
  let ended = false;
  let wake = () => {};
  return {
    add(message: string) {
      messages.push(message);
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    async next(): Promise<string | null> {
      if (messages.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
      return messages.shift() ?? null;
    },
  };
}

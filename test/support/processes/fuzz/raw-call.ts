import { connect, type Socket } from 'node:net';

/** What came back over a raw connection. */
export interface RawAnswer {
  /** 0: the connection was closed without an answer. */
  status: number;
  head: string;
  body: string;
  ms: number;
  /** Nothing whole had come when the time was up. */
  late: boolean;
}

export interface RawCall {
  port: number;
  bytes: Buffer;
  /** Says that nothing more comes once the bytes are written. */
  ends: boolean;
  method: string;
}

const NO_BODY = new Set([204, 304]);
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/** Writes bytes to a listener and reads one answer. Never rejects. */
export function sendRawCall({ port, bytes, ends, method }: RawCall, timeoutMs: number): Promise<RawAnswer> {
  const begun = performance.now();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const socket: Socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const settle = (late: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      const { status, head, body } = readAnswer(Buffer.concat(chunks).toString('latin1'));
      resolve({ status, head, body, ms: performance.now() - begun, late });
    };
    const timer = setTimeout(() => settle(true), timeoutMs);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > ANSWER_BYTES_MAX || isWhole(Buffer.concat(chunks).toString('latin1'), method)) settle(false);
    });
    socket.on('error', () => settle(false));
    socket.on('end', () => settle(false));
    socket.on('close', () => settle(false));
    socket.on('connect', () => (ends ? socket.end(bytes) : socket.write(bytes)));
  });
}

function isWhole(text: string, method: string): boolean {
  const at = text.indexOf('\r\n\r\n');
  if (at === -1) return false;
  const { status, head, body } = readAnswer(text);
  if (status === 100 || NO_BODY.has(status) || method === 'HEAD') return status !== 100;
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  if (length !== undefined) return body.length >= Number(length);
  return /^transfer-encoding: chunked$/im.test(head) && body.endsWith('0\r\n\r\n');
}

/** The final answer: an interim one may come before it. */
function readAnswer(text: string): { status: number; head: string; body: string } {
  const rest = text.replace(/^HTTP\/1\.1 1\d\d [^\r]*\r\n(?:[^\r]+\r\n)*\r\n(?=HTTP)/, '');
  const at = rest.indexOf('\r\n\r\n');
  const head = at === -1 ? rest : rest.slice(0, at);
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(rest)?.[1] ?? 0),
    head,
    body: at === -1 ? '' : rest.slice(at + 4),
  };
}

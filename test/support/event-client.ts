import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { reviveJson } from '../../src/core/json.ts';
import type { RenderedEvent } from '../../src/runs/render-event.ts';

export interface ClientRequest {
  method?: string;
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: object;
  /** Sent behind the request, as it is. */
  more?: string;
}

/** A request on a raw socket whose answer is read as it comes. */
export interface EventClient {
  readonly socket: Socket;
  status(): number;
  header(name: string): string | null;
  /** The body so far, without the marks of its chunks. */
  text(): string;
  /** What came behind the whole answer. */
  rest(): string;
  /** The answer has come whole. */
  isWhole(): boolean;
  /** Resolves once `text`, or `rest`, or the end is as wanted; rejects when the connection ends before. */
  until(holds: () => boolean): Promise<void>;
  whole(): Promise<void>;
  /** Resolves once the connection is closed. */
  closed: Promise<void>;
  leave(): void;
}

/** Sends a request as the test's key `runs`, unless its path has a token, wanting a stream of events where nothing else is said. */
export function openEvents(port: number, request: ClientRequest): EventClient {
  const socket = connect({ host: '127.0.0.1', port });
  const answer = createAnswer();
  const waiting = new Set<() => void>();
  let over = false;
  const look = () => {
    for (const wake of waiting) wake();
  };
  socket.on('data', (bytes: Buffer) => {
    answer.take(bytes);
    look();
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      over = true;
      look();
      resolve();
    });
  });
  socket.write(render(request));
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const wake = () => {
        if (!holds() && !over) return;
        waiting.delete(wake);
        if (holds()) resolve();
        else reject(new Error(`the connection ended after: ${answer.head}\n${answer.text.slice(-500)}`));
      };
      waiting.add(wake);
      wake();
    });
  return {
    socket,
    status: () => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer.head)?.[1] ?? 0),
    header: (name) => new RegExp(`^${name}: (.*)$`, 'im').exec(answer.head)?.[1]?.trim() ?? null,
    text: () => answer.text,
    rest: () => answer.rest(),
    isWhole: () => answer.isWhole,
    until,
    whole: () => until(() => answer.isWhole),
    closed,
    leave: () => void socket.destroy(),
  };
}

function render({ method = 'GET', path, headers = {}, body, more = '' }: ClientRequest): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const all: Record<string, string> = {
    host: 'x',
    ...(path.includes('token=') ? {} : { authorization: 'Bearer runs' }),
    accept: 'text/event-stream',
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text}${more}`;
}

/** Puts one answer together, chunked or of a known length. */
function createAnswer() {
  let bytes = Buffer.alloc(0);
  const answer = {
    head: '',
    text: '',
    isWhole: false,
    rest: () => (answer.isWhole ? bytes.toString() : ''),
    take(more: Buffer) {
      bytes = Buffer.concat([bytes, more]);
      if (answer.head === '') takeHead();
      if (answer.head !== '' && !answer.isWhole) takeBody();
    },
  };
  function takeHead(): void {
    const at = bytes.indexOf('\r\n\r\n');
    if (at === -1) return;
    answer.head = bytes.subarray(0, at).toString();
    bytes = bytes.subarray(at + 4);
  }
  function takeBody(): void {
    if (/^transfer-encoding: chunked/im.test(answer.head)) return takeChunks();
    const length = Number(/^content-length: (\d+)/im.exec(answer.head)?.[1] ?? 0);
    if (bytes.length < length) return;
    answer.text = bytes.subarray(0, length).toString();
    bytes = bytes.subarray(length);
    answer.isWhole = true;
  }
  function takeChunks(): void {
    for (;;) {
      const at = bytes.indexOf('\r\n');
      if (at === -1) return;
      const length = Number.parseInt(bytes.subarray(0, at).toString(), 16);
      const end = at + 2 + length;
      if (bytes.length < end + 2) return;
      answer.text += bytes.subarray(at + 2, end).toString();
      bytes = bytes.subarray(end + 2);
      if (length > 0) continue;
      answer.isWhole = true;
      return;
    }
  }
  return answer;
}

/** The `data` lines of a stream, of whole frames only. */
export function dataLines(text: string): string[] {
  const whole = text.slice(0, text.lastIndexOf('\n\n') + 2);
  return Array.from(whole.matchAll(/^data: (.*)$/gm), ([, data = '']) => data);
}

/** The events of a stream. */
export function eventsOf(text: string): RenderedEvent[] {
  return dataLines(text).map((line) => reviveJson<RenderedEvent>(line));
}

/** The `id` of the last whole frame, as a client remembers it; null where there is none. */
export function lastIdOf(text: string): string | null {
  const whole = text.slice(0, text.lastIndexOf('\n\n') + 2);
  return Array.from(whole.matchAll(/^id: (.*)$/gm)).at(-1)?.[1] ?? null;
}

/** Resolves once it holds; a test that waits in vain times out. */
export async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await setImmediate();
}

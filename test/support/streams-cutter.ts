import { connect } from 'node:net';

/** Where a reader's first connection breaks. */
export type Cut =
  /** Behind so many events. */
  | { events: number }
  /** Behind so many bytes of the answer, its head and the marks of its chunks included. */
  | { bytes: number };

export interface CutReading {
  /** The `data` lines of every event, byte for byte. */
  data: string;
  events: number;
  /** Of its connections, without their requests. */
  bytes: number;
  connections: number;
  /** Whether the first connection was cut, and not at its end before. */
  wasCut: boolean;
}

interface Target {
  port: number;
  path: string;
  authorization: string;
}

const CONNECTIONS_MAX = 20;

/** Follows a run to its end over raw connections as a browser does; the first of them is cut. */
export async function readWithCut(target: Target, cut: Cut | null): Promise<CutReading> {
  const seen: Seen = { lines: [], lastId: null, ended: false };
  let bytes = 0;
  let wasCut = false;
  for (let connections = 1; connections <= CONNECTIONS_MAX; connections++) {
    const read = await readOnce(target, seen, connections === 1 ? cut : null);
    bytes += read.bytes;
    wasCut ||= read.wasCut;
    if (seen.ended || read.status === 204) {
      return { data: seen.lines.join(''), events: seen.lines.length, bytes, connections, wasCut };
    }
  }
  throw new Error(`the stream did not end in ${CONNECTIONS_MAX} connections`);
}

/** What a reader remembers from one connection to the next: whole events only. */
interface Seen {
  lines: string[];
  lastId: string | null;
  ended: boolean;
}

function readOnce(
  { port, path, authorization }: Target,
  seen: Seen,
  cut: Cut | null,
): Promise<{ status: number; bytes: number; wasCut: boolean }> {
  const resume = seen.lastId === null ? '' : `last-event-id: ${seen.lastId}\r\n`;
  const head = `host: x\r\nauthorization: ${authorization}\r\naccept: text/event-stream\r\n${resume}`;
  const bytesMax = cut !== null && 'bytes' in cut ? cut.bytes : Infinity;
  const eventsMax = cut !== null && 'events' in cut ? cut.events : Infinity;
  const answer = createAnswerReader(seen, eventsMax);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    let bytes = 0;
    let wasCut = false;
    let trouble = 'no answer';
    socket.on('error', (error) => (trouble = error.message));
    socket.on('data', (chunk: Buffer) => {
      if (wasCut) return;
      const left = bytesMax - bytes;
      const taken = chunk.length > left ? chunk.subarray(0, left) : chunk;
      bytes += taken.length;
      answer.take(taken.toString('latin1'));
      wasCut = bytes >= bytesMax || answer.isEnough();
      if (wasCut || answer.isWhole()) socket.destroy();
    });
    socket.on('close', () => {
      const status = answer.status();
      if (wasCut || status === 200 || status === 204) resolve({ status, bytes, wasCut });
      else reject(new Error(status === 0 ? trouble : `answered with ${status}`));
    });
    socket.write(`GET ${path} HTTP/1.1\r\n${head}\r\n`);
    if (eventsMax === 0) answer.cutAtHead();
  });
}

const END_FRAME = /^event: run\.(succeeded|failed|cancelled|timed_out)$/m;

/** Reads one chunked answer as it comes; bytes are characters here. */
function createAnswerReader(seen: Seen, eventsMax: number) {
  let raw = '';
  let body = '';
  let state: 'head' | 'chunks' | 'whole' = 'head';
  let status = 0;
  let chunkLeft = 0;
  let events = 0;
  let cutsAtHead = false;

  function takeHead(): void {
    const end = raw.indexOf('\r\n\r\n');
    if (end === -1) return;
    status = Number(/^HTTP\/1\.1 (\d{3})/.exec(raw)?.[1] ?? 0);
    raw = raw.slice(end + 4);
    state = status === 200 ? 'chunks' : 'whole';
  }
  /** What is there of a chunk is handed on before the rest of it has come. */
  function takeChunks(): void {
    while (state === 'chunks') {
      if (chunkLeft > 2) {
        const piece = raw.slice(0, chunkLeft - 2);
        if (piece === '') return;
        body += piece;
        chunkLeft -= piece.length;
        raw = raw.slice(piece.length);
      }
      if (chunkLeft > 0) {
        if (chunkLeft > 2 || raw.length < 2) return;
        raw = raw.slice(2);
        chunkLeft = 0;
      }
      const at = raw.indexOf('\r\n');
      if (at === -1) return;
      const length = Number.parseInt(raw.slice(0, at), 16);
      raw = raw.slice(at + 2);
      if (length === 0) state = 'whole';
      else chunkLeft = length + 2;
    }
  }
  function takeFrames(): void {
    for (let at = body.indexOf('\n\n'); at !== -1 && events < eventsMax; at = body.indexOf('\n\n')) {
      const frame = body.slice(0, at);
      body = body.slice(at + 2);
      const data = /^data: .*$/m.exec(frame)?.[0];
      if (data === undefined) continue;
      events += 1;
      seen.lines.push(`${data}\n`);
      seen.lastId = /^id: (.*)$/m.exec(frame)?.[1] ?? seen.lastId;
      seen.ended ||= END_FRAME.test(frame);
    }
  }
  return {
    take(text: string) {
      raw += text;
      if (state === 'head') takeHead();
      takeChunks();
      takeFrames();
    },
    status: () => status,
    isWhole: () => state === 'whole',
    isEnough: () => events >= eventsMax && (!cutsAtHead || state !== 'head'),
    cutAtHead() {
      cutsAtHead = true;
    },
  };
}

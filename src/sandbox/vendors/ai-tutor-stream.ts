import { once } from 'node:events';
import type { Json } from '../../core/json.ts';
import type { Call, Reply } from '../http-kit.ts';
import type { Plan, StreamForm } from '../plan.ts';

/** How an answer is written in one format. The vendor's documents do not say which it is. */
interface Format {
  headers: Readonly<Record<string, string>>;
  open: readonly string[];
  piece(text: string): string;
  /** Null: there is no way to say it. */
  error: ((message: string) => string) | null;
  end: readonly string[];
  rubbish: string | Uint8Array;
  unknown: string;
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8' };
const EVENTS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };
const USAGE = { promptTokens: 10, completionTokens: 20 };
const TEXT_ID = 'text-0';
const NO_UTF8 = Uint8Array.of(0xff, 0xfe);

/** The error of a failed run, and how long a broken connection is given to carry what was written before. */
const ERROR = 'Something went wrong during execution.';
const FLUSH_MS = 5;

const FORMATS: Readonly<Record<StreamForm, Format>> = {
  text: { headers: TEXT, open: [], piece: (text) => text, error: null, end: [], rubbish: NO_UTF8, unknown: '' },
  data: {
    headers: { ...TEXT, 'x-vercel-ai-data-stream': 'v1' },
    open: [part('f', { messageId: 'msg-0' })],
    piece: (text) => part('0', text),
    error: (message) => part('3', message),
    end: [
      part('e', { finishReason: 'stop', usage: USAGE, isContinued: false }),
      part('d', { finishReason: 'stop', usage: USAGE }),
    ],
    rubbish: 'this is no part\n',
    unknown: part('y', { new: true }),
  },
  ui: {
    headers: { ...EVENTS, 'x-vercel-ai-ui-message-stream': 'v1' },
    open: [chunk({ type: 'start', messageId: 'msg-0' }), chunk({ type: 'text-start', id: TEXT_ID })],
    piece: (delta) => chunk({ type: 'text-delta', id: TEXT_ID, delta }),
    error: (errorText) => chunk({ type: 'error', errorText }) + event('[DONE]'),
    end: [chunk({ type: 'text-end', id: TEXT_ID }), chunk({ type: 'finish' }), event('[DONE]')],
    rubbish: event('{"type":"text-delta","delta":'),
    unknown: chunk({ type: 'data-weather', data: { sunny: true } }),
  },
  sse: {
    headers: EVENTS,
    open: [': welcome\n\n'],
    piece: (text) => chunk({ text }),
    error: (error) => `event: error\n${chunk({ error })}`,
    end: [event('[DONE]')],
    rubbish: 'this is no field\n\n',
    unknown: `event: weather\n${chunk({ sunny: true })}`,
  },
  ndjson: {
    headers: { 'content-type': 'application/x-ndjson' },
    open: [],
    piece: (text) => line({ text }),
    error: (error) => line({ error }),
    end: [line({ done: true })],
    rubbish: '{"text":\n',
    unknown: line({ type: 'weather', sunny: true }),
  },
};

interface Streaming {
  plan: Plan;
  call: Call;
  /** Over which the pieces are spread. */
  runMs: number;
}

/** The answer piece by piece; a character of several bytes is split between two chunks. */
export function answerStream(pieces: readonly string[], streaming: Streaming): Reply {
  const format = FORMATS[streaming.plan.stream.format];
  const whole = [...format.open, ...pieces.map((piece) => format.piece(piece)), ...format.end].join('');
  return {
    status: 200,
    headers: format.headers,
    body: whole,
    pieces: splitCharacters(write(pieces, format, streaming), streaming.call),
  };
}

async function* write(pieces: readonly string[], format: Format, { plan, call, runMs }: Streaming) {
  const { trouble, rubbish, unknown } = plan.stream;
  for (const opening of format.open) yield opening;
  for (const [i, piece] of pieces.entries()) {
    await call.delay(Math.max(1, runMs / pieces.length));
    if (trouble !== null && i >= trouble.after) break;
    yield format.piece(piece);
    if (rubbish) yield format.rubbish;
    if (unknown && format.unknown !== '') yield format.unknown;
  }
  switch (trouble?.is) {
    case undefined:
      for (const ending of format.end) yield ending;
      return;
    case 'end':
      return;
    case 'stall':
      if (!call.response.destroyed) await once(call.response, 'close');
      return;
    case 'error':
      if (format.error !== null) {
        yield format.error(ERROR);
        return;
      }
      return cut(call);
    case 'break':
      return cut(call);
  }
}

async function cut(call: Call): Promise<void> {
  await call.delay(FLUSH_MS);
  call.response.socket?.destroy();
}

async function* splitCharacters(texts: AsyncIterable<string | Uint8Array>, call: Call): AsyncGenerator<Uint8Array> {
  for await (const text of texts) {
    const bytes = Buffer.from(text);
    const within = bytes.findIndex((byte) => (byte & 0xc0) === 0x80);
    if (within === -1) yield bytes;
    else {
      yield bytes.subarray(0, within);
      await call.delay(1);
      yield bytes.subarray(within);
    }
  }
}

function part(kind: string, value: Json): string {
  return `${kind}:${JSON.stringify(value)}\n`;
}

function chunk(value: Json): string {
  return event(JSON.stringify(value));
}

function event(data: string): string {
  return `data: ${data}\n\n`;
}

function line(value: Json): string {
  return `${JSON.stringify(value)}\n`;
}

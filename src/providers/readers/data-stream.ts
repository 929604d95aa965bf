import { parseJson } from '../../core/json.ts';
import type { StreamReader, StreamSignal } from '../define-provider.ts';
import type { Outcome } from '../outcome.ts';
import { shortText } from '../reading.ts';
import { createGatheredText } from './gathered-text.ts';
import { failure, finishChunk, readChunkText, type Chunks } from './message-chunks.ts';

/** `0:"text"`: one character that says what it is, and JSON, in which U+2028 and U+2029 end no line. */
const PART = /^([0-9a-z]):(.*)$/s;
/** Some servers declare this protocol and send events; that is no part of it, since parts have one character. */
const EVENT_DATA = /^data:\s?(.*)$/s;
/** The beginning of a message and the end of a step: versions that send them end with a `d`. */
const MARKED_LATER = ['f', 'e'];
/** What the parts are that a stream begins with, so that a ratio or a time in a text is none of them. */
const BEGINNINGS: Readonly<Record<string, RegExp>> = { 0: /^"/, 2: /^\[/, 3: /^"/, 8: /^\[/, f: /^\{/, g: /^"/ };
/** Nobody is kept waiting for the end of a longer first line. */
const FIRST_LINE_MAX = 4_096;

/**
 * Reads Vercel's data stream (`x-vercel-ai-data-stream: v1`, AI SDK 3 and 4), in which each line is a part: `0` text,
 * `3` an error, `d` the end of the message. Parts of other kinds (tools, reasoning, steps, annotations) are passed over,
 * and lines that are none. A stream that ends without its `d` has broken off; but the oldest versions, which declare
 * nothing, have none: where neither the protocol is `declared` nor a part of a later one came, the orderly end is the end.
 */
export function createDataStreamReader(
  finish: (text: string) => Outcome,
  { declared }: { declared: boolean },
): StreamReader {
  const gathered = createGatheredText(finish);
  const chunks: Chunks = { gathered, declared: true, marked: declared, isJson: true };
  /** The line that has no end yet, in pieces: a long one is put together once. */
  let line: string[] = [];
  return {
    read(frame) {
      if (frame.kind !== 'text') throw new TypeError('expected text');
      const [rest = '', ...lines] = frame.text.split('\n');
      line.push(rest);
      const signals: StreamSignal[] = [];
      for (const next of lines) {
        signals.push(...readLine(chunks, line.join('')));
        line = [next];
        if (signals.at(-1)?.is === 'outcome') break;
      }
      return signals;
    },
    end() {
      const last = readLine(chunks, line.join('')).find((signal) => signal.is === 'outcome');
      return last?.outcome ?? (chunks.marked ? null : gathered.ended());
    },
  };
}

/** Whether this can only be, or become, such a stream's first line; null: not yet known. */
export function beginsDataStream(text: string): boolean | null {
  const end = text.indexOf('\n');
  const line = end === -1 ? text : text.slice(0, end).trimEnd();
  const [, kind = '', json = ''] = PART.exec(line) ?? [];
  if (end !== -1) return BEGINNINGS[kind]?.test(json) === true && parseJson(json).ok;
  return text.length > FIRST_LINE_MAX || !/^([0238fg](:(["[{].*)?)?)?$/s.test(text) ? false : null;
}

function readLine(chunks: Chunks, text: string): readonly StreamSignal[] {
  const { gathered } = chunks;
  const line = text.endsWith('\r') ? text.slice(0, -1) : text;
  const event = EVENT_DATA.exec(line);
  if (event) return readChunkText(chunks, event[1] ?? '');
  const [, kind = '', json = ''] = PART.exec(line) ?? [];
  chunks.marked ||= MARKED_LATER.includes(kind);
  switch (kind) {
    case '0':
      return gathered.delta(stringIn(json));
    case '3':
      return failure(shortText(stringIn(json)));
    case 'd':
      return finishChunk(gathered, valueOf(json));
    default:
      return [];
  }
}

/** A piece of the answer that cannot be read cannot be left out either. */
function stringIn(json: string): string {
  const value = valueOf(json);
  if (typeof value !== 'string') throw new TypeError('expected a JSON string');
  return value;
}

function valueOf(json: string) {
  const parsed = parseJson(json);
  return parsed.ok ? parsed.value : null;
}

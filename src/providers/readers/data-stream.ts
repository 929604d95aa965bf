import { parseJson } from '../../core/json.ts';
import type { StreamReader, StreamSignal } from '../define-provider.ts';
import type { Outcome } from '../outcome.ts';
import { shortText } from '../reading.ts';
import { createGatheredText, type GatheredText } from './gathered-text.ts';
import { failure, finishChunk, readChunkText } from './message-chunks.ts';

/** `0:"text"`: one character that says what it is, and JSON. */
const PART = /^([0-9a-z]):(.*)$/;
/** Some servers declare this protocol and send events; that is no part of it, since parts have one character. */
const EVENT_DATA = /^data:\s?(.*)$/;

/**
 * Reads Vercel's data stream (`x-vercel-ai-data-stream: v1`, AI SDK 3 and 4), in which each line is a part: `0` text,
 * `3` an error, `d` the end of the message. Parts of other kinds (tools, reasoning, steps, annotations) are passed over,
 * and lines that are none. A stream that ends without its `d` has broken off.
 */
export function createDataStreamReader(finish: (text: string) => Outcome): StreamReader {
  const gathered = createGatheredText(finish);
  /** The line that has no end yet, in pieces: a long one is put together once. */
  let line: string[] = [];
  return {
    read(frame) {
      if (frame.kind !== 'text') throw new TypeError('expected text');
      const [rest = '', ...lines] = frame.text.split('\n');
      line.push(rest);
      const signals: StreamSignal[] = [];
      for (const next of lines) {
        signals.push(...readLine(gathered, line.join('')));
        line = [next];
        if (signals.at(-1)?.is === 'outcome') break;
      }
      return signals;
    },
    end() {
      const last = readLine(gathered, line.join('')).find((signal) => signal.is === 'outcome');
      return last?.outcome ?? null;
    },
  };
}

function readLine(gathered: GatheredText, text: string): readonly StreamSignal[] {
  const line = text.endsWith('\r') ? text.slice(0, -1) : text;
  const event = EVENT_DATA.exec(line);
  if (event) return readChunkText(gathered, event[1] ?? '', { declared: true });
  const [, kind = '', json = ''] = PART.exec(line) ?? [];
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

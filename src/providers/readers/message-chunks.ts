import { isJsonObject, parseJson, type Json, type JsonObject } from '../../core/json.ts';
import type { StreamReader, StreamSignal } from '../define-provider.ts';
import { failed, type Outcome } from '../outcome.ts';
import { reasonText, shortText } from '../reading.ts';
import { createGatheredText, type GatheredText } from './gathered-text.ts';

/** What OpenAI's and Vercel's streams end with. */
const DONE = '[DONE]';

/** Chunks of Vercel's protocol that hold no piece of the answer: its frame, reasoning, tools, sources, files, data. */
const WITHOUT_ANSWER = /^(start|finish-step|text-(start|end)$|reasoning|tool|source|file$|data|message-metadata$)/;
/** What begins a message there, and nowhere else. */
const BEGINS_MESSAGE = ['start', 'text-start'];

/**
 * Reads a stream of server-sent events or of JSON lines. The chunks of Vercel's UI message stream are understood
 * (`{"type":"text-delta","delta":"…"}`, `{"type":"error","errorText":"…"}`, `finish`, `[DONE]`), and the few other shapes
 * in which a piece of text is commonly sent; what has another shape is no piece, and an answer of nothing else is none.
 *
 * `declared`: the vendor has named that protocol in a header. Then everything is JSON, and chunks of other types are
 * passed over. An end without `finish` or `[DONE]` is none, there and where a message has begun as that protocol has it.
 */
export function createMessageChunksReader(
  finish: (text: string) => Outcome,
  { declared }: { declared: boolean },
): StreamReader {
  const gathered = createGatheredText(finish);
  const chunks: Chunks = { gathered, declared, marked: declared, isJson: declared };
  return {
    read(frame) {
      switch (frame.kind) {
        case 'event':
          return frame.event === 'error' ? brokenBy(frame.data) : readChunkText(chunks, frame.data);
        case 'line':
          return readChunk(chunks, frame.value);
        case 'text':
        case 'message':
        case 'unreadable':
          throw new TypeError('expected an event or a line of JSON');
      }
    },
    end() {
      return chunks.marked ? null : gathered.ended();
    },
  };
}

/** What is known of a stream of chunks. */
export interface Chunks {
  readonly gathered: GatheredText;
  readonly declared: boolean;
  /** Its end will be marked. */
  marked: boolean;
  /** Chunks are JSON objects: one has come. */
  isJson: boolean;
}

/** What one event's data says. Where the protocol is not declared, what is no JSON is a piece of the answer. */
export function readChunkText(chunks: Chunks, data: string): readonly StreamSignal[] {
  const { gathered, declared } = chunks;
  if (data.trim() === DONE) return gathered.finished();
  const parsed = parseJson(data);
  if (parsed.ok && (isJsonObject(parsed.value) || typeof parsed.value === 'string')) {
    return readChunk(chunks, parsed.value);
  }
  if (declared) return [];
  // A chunk that was cut is no piece of the answer; a brace in a stream of plain words is.
  if (chunks.isJson && data.trimStart().startsWith('{')) throw new TypeError('expected a whole chunk of JSON');
  return gathered.delta(data);
}

function readChunk(chunks: Chunks, chunk: Json): readonly StreamSignal[] {
  const { gathered, declared } = chunks;
  if (typeof chunk === 'string') return gathered.delta(chunk);
  if (!isJsonObject(chunk)) return [];
  chunks.isJson = true;
  const type = typeof chunk.type === 'string' ? chunk.type : null;
  chunks.marked ||= type !== null && BEGINS_MESSAGE.includes(type);
  switch (type) {
    case null:
      return readUntyped(gathered, chunk);
    case 'text-delta':
      return gathered.delta(firstString(chunk.delta, chunk.textDelta, chunk.text));
    case 'error':
      return failure(reasonOf(chunk));
    case 'abort':
      return failure(shortText(chunk.reason) ?? 'The vendor aborted the stream.');
    case 'finish':
      return finishChunk(gathered, chunk);
    default:
      return declared || WITHOUT_ANSWER.test(type) ? [] : readUntyped(gathered, chunk);
  }
}

/** The end of a message; also Vercel's older `d:` part. */
export function finishChunk(gathered: GatheredText, chunk: Json): readonly StreamSignal[] {
  const failedInside = isJsonObject(chunk) && chunk.finishReason === 'error';
  return failedInside ? failure('The vendor’s model ended with an error.') : gathered.finished();
}

/** Ends the run as failed. */
export function failure(message: string | null): readonly StreamSignal[] {
  return [{ is: 'outcome', outcome: failed({ message }) }];
}

function readUntyped(gathered: GatheredText, chunk: JsonObject): readonly StreamSignal[] {
  if (chunk.success === false || (chunk.error !== undefined && chunk.error !== null)) return failure(reasonOf(chunk));
  const pieces = [chunk.text, chunk.delta, chunk.content, chunk.token, openAiDelta(chunk)];
  const texts = pieces.filter((piece) => typeof piece === 'string');
  // An empty piece is one all the same.
  if (texts.length > 0) return gathered.delta(texts.find((text) => text !== '') ?? '');
  // The blocking call's own form: the answer as a whole, behind its pieces or instead of them.
  if (gathered.isEmpty() && typeof chunk.result === 'string') return gathered.delta(chunk.result);
  gathered.missed();
  return [];
}

/** `{"choices":[{"delta":{"content":"…"}}]}`, as OpenAI and many after it write a piece. */
function openAiDelta({ choices }: JsonObject): Json | undefined {
  const [choice] = Array.isArray(choices) ? choices : [];
  const delta = isJsonObject(choice) ? choice.delta : undefined;
  return isJsonObject(delta) ? delta.content : undefined;
}

function brokenBy(data: string): readonly StreamSignal[] {
  const parsed = parseJson(data);
  return failure(parsed.ok && isJsonObject(parsed.value) ? reasonOf(parsed.value) : shortText(data));
}

function reasonOf(chunk: JsonObject): string | null {
  return shortText(chunk.errorText) ?? reasonText(chunk.error) ?? shortText(chunk.message);
}

function firstString(...values: readonly (Json | undefined)[]): string {
  return values.find((value) => typeof value === 'string') ?? '';
}

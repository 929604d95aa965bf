import type { Clock } from '../core/clock.ts';
import {
  OutboundError,
  type OutputScrub,
  type StreamAnswer,
  type StreamFormat,
  type StreamFrame,
  type StreamRequest,
} from '../core/outbound.ts';
import { AnswerCollector, restate } from './answer-collector.ts';
import type { Call } from './call.ts';
import type { Decoder, Emit } from './decoders/decoder.ts';
import { decodeNdjson } from './decoders/decode-ndjson.ts';
import { decodeSse } from './decoders/decode-sse.ts';
import { decodeText } from './decoders/decode-text.ts';
import { FrameStream } from './frame-stream.ts';
import { createOutputScrub } from './output-scrub.ts';
import { hasNeedlessEscapes } from './scrubber.ts';
import { AnswerTooLarge } from './interceptors/answer-size-cap.ts';
import type { AnswerHandler, Controller, ResponseHeaders } from './interceptors/interceptor.ts';

const DECODERS = { sse: decodeSse, ndjson: decodeNdjson, text: decodeText } satisfies Record<
  StreamFormat,
  (emit: Emit) => Decoder
>;

export interface StreamParts {
  call: Call;
  clock: Clock;
  signal: AbortSignal;
}

export interface SettleStream {
  resolve(answer: StreamAnswer): void;
  reject(error: unknown): void;
}

/**
 * The bytes are scrubbed already; but JSON may escape an escaped secret once more, which whoever parses it undoes, and an
 * event of several lines had `data:` between them, where its text has nothing.
 */
function scrubbed(frame: StreamFrame, scrub: OutputScrub): StreamFrame {
  if (frame.kind !== 'event' || !(hasNeedlessEscapes(frame.data) || frame.data.includes('\n'))) return frame;
  return { ...frame, data: scrub.text(frame.data) };
}

/** The caller's end of a call whose answer may be a stream: decides by its head, and is an `AnswerCollector` if it is none. */
export class StreamCollector implements AnswerHandler {
  readonly #parts: StreamParts;
  readonly #format: StreamRequest['format'];
  readonly #settle: SettleStream;
  readonly #answer: AnswerCollector;
  #stream: { frames: FrameStream; decoder: Decoder } | null = null;

  constructor(parts: StreamParts, format: StreamRequest['format'], settle: SettleStream) {
    this.#parts = parts;
    this.#format = format;
    this.#settle = settle;
    this.#answer = new AnswerCollector(parts.call, parts.clock, answerOnly(settle));
    parts.call.collector = this;
  }

  onRequestStart(): void {}

  onResponseStart(controller: Controller, status: number, headers: ResponseHeaders): void {
    const head = headers as Record<string, string>;
    let format: StreamFormat | null;
    try {
      format = this.#formatOf(status, head);
    } catch (error) {
      this.#parts.call.end();
      this.#settle.reject(error);
      controller.abort(new Error('the head could not be judged'));
      return;
    }
    if (format === null) return this.#answer.onResponseStart(controller, status, headers);
    this.#parts.call.streaming = true;
    const frames = new FrameStream(this.#parts);
    const { call } = this.#parts;
    const scrub = createOutputScrub(call.secrets, () => call.onMask());
    this.#stream = { frames, decoder: DECODERS[format]((frame) => frames.put(scrubbed(frame, scrub))) };
    this.#settle.resolve({ is: 'stream', stream: { status, headers: head, frames, scrub } });
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#stream === null) return this.#answer.onResponseData(controller, chunk);
    this.#stream.decoder.push(chunk);
    this.#stream.frames.took(chunk.length);
  }

  onResponseEnd(): void {
    if (this.#stream === null) return this.#answer.onResponseEnd();
    this.#stream.decoder.end();
    this.#parts.call.end();
    this.#stream.frames.finish(null);
  }

  onResponseError(controller: Controller | null, error: Error): void {
    if (this.#stream === null) return this.#answer.onResponseError(controller, error);
    this.#parts.call.end();
    this.#stream.frames.finish(toStreamEnd(error));
  }

  /** An answer that came compressed although nobody asked for that can be neither decoded nor scrubbed as it comes. */
  #formatOf(status: number, headers: Readonly<Record<string, string>>): StreamFormat | null {
    return status >= 200 && status < 300 && !this.#parts.call.encoded ? this.#format({ headers }) : null;
  }
}

/** Settles with an answer that was read to its end. */
export function answerOnly(settle: SettleStream): ConstructorParameters<typeof AnswerCollector>[2] {
  return {
    resolve: (answer) => settle.resolve({ is: 'answer', answer }),
    reject: (error) => settle.reject(error),
  };
}

function toStreamEnd(error: Error): OutboundError {
  if (error instanceof OutboundError) return error;
  const failure = error instanceof AnswerTooLarge ? 'too_large' : 'reset';
  return new OutboundError(failure, { sent: true, cause: restate(error) });
}

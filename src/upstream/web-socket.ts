import type { Duplex } from 'node:stream';
import { Dispatcher, WebSocket, type CloseEvent } from 'undici';
import { OutboundError } from '../core/outbound.ts';
import { AnswerCollector } from './answer-collector.ts';
import { FRAME_BYTES_MAX } from './decoders/decoder.ts';
import { readMessage } from './decoders/read-message.ts';
import { FrameStream } from './frame-stream.ts';
import type { AnswerHandler, Controller, Dispatch, ResponseHeaders } from './interceptors/interceptor.ts';
import { allowedHeaders } from './interceptors/response-headers.ts';
import { createOutputScrub } from './output-scrub.ts';
import { scrubberOf, type Scrubber } from './scrubber.ts';
import { answerOnly, type SettleStream, type StreamParts } from './stream-collector.ts';
import { Wire } from './wire.ts';

/** undici wants a URL, but the handshake goes where the call goes; so undici never holds an address with a secret in it. */
const NO_ADDRESS = 'ws://vendor.invalid';
const FRAGMENTS_MAX = 4_096;
/** undici's word for a connection that ended without a close frame from the vendor. */
const NO_CLOSE_FRAME = 1_006;
const TOO_LARGE = 1_009;
const IN_ORDER = new Set([1_000, 1_005]);

export interface WebSocketParts extends StreamParts {
  /** The way to the wire, with every interceptor. */
  dispatch: Dispatch;
  /** Sent once the connection is open; null: nothing is. */
  message: string | null;
  /** For the whole stream. */
  bytesMax: number;
}

/**
 * One WebSocket: undici's, which keeps the protocol, over a handshake that takes the way of every other call. Its
 * states: shaking hands (a refusal is an answer like any other) -> open (the message goes out, `settle` has a stream)
 * -> over. Whatever happens, `call.end` is called once, and the socket is closed.
 */
export class WebSocketCall implements AnswerHandler {
  readonly #parts: WebSocketParts;
  readonly #settle: SettleStream;
  readonly #answer: AnswerCollector;
  readonly #frames: FrameStream;
  #upgrade: Dispatcher.DispatchHandler | null = null;
  #webSocket: WebSocket | null = null;
  #wire: Wire | null = null;
  #headers: Record<string, string> = {};
  #scrubber: Scrubber | null = null;
  #bytesLeft: number;

  constructor(parts: WebSocketParts, settle: SettleStream) {
    this.#parts = parts;
    this.#settle = settle;
    this.#answer = new AnswerCollector(parts.call, parts.clock, answerOnly(settle));
    this.#frames = new FrameStream(parts);
    this.#bytesLeft = parts.bytesMax;
    parts.call.collector = this;
  }

  open(): void {
    const dispatcher = new HandshakeDispatcher((headers, handler) => this.#shakeHands(headers, handler));
    const webSocket = new WebSocket(NO_ADDRESS, { dispatcher });
    this.#webSocket = webSocket;
    webSocket.binaryType = 'arraybuffer';
    webSocket.addEventListener('open', () => this.#opened());
    webSocket.addEventListener('message', ({ data }) => this.#message(data));
    webSocket.addEventListener('close', (event) => this.#closed(event));
  }

  onRequestStart(): void {}

  onRequestUpgrade(_controller: Controller, status: number, headers: ResponseHeaders, socket: Duplex): void {
    const { call, clock } = this.#parts;
    const wire = new Wire(socket, { clock, onBytes: (count) => this.#count(count) });
    this.#wire = wire;
    // undici listens only once it has judged the handshake.
    wire.once('close', () => {
      if (!call.over && !call.streaming) this.#refuse('a connection that closed at once');
    });
    call.controller = {
      abort: (error) => this.#fail(error),
      pause: () => wire.hold(),
      resume: () => wire.release(),
    };
    if (call.over) return void wire.destroy();
    // None was offered: above all no compression, which would need a size cap of its own.
    if (headers['sec-websocket-extensions'] !== undefined) return this.#refuse('an extension that nobody offered');
    this.#scrubber = scrubberOf(call.secrets, () => call.onMask());
    for (const [name, value] of Object.entries(allowedHeaders(headers))) {
      if (this.#scrubber.text(name) === name) this.#headers[name] = this.#scrubber.text(value);
    }
    // undici compares the whole value, and reads the headers as they came.
    const tokens = String(headers.connection)
      .toLowerCase()
      .split(/[ \t]*,[ \t]*/);
    const connection = tokens.includes('upgrade') ? 'upgrade' : 'none';
    const rawHeaders = Object.entries({ ...headers, connection }).flatMap(([name, value]) => [name, String(value)]);
    this.#upgrade?.onRequestUpgrade?.(
      { ...INERT, rawHeaders: rawHeaders.map((text) => Buffer.from(text)) },
      status,
      {},
      wire,
    );
  }

  onResponseStart(controller: Controller, status: number, headers: ResponseHeaders): void {
    this.#answer.onResponseStart(controller, status, headers);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#answer.onResponseData(controller, chunk);
  }

  onResponseEnd(): void {
    this.#answer.onResponseEnd();
    this.#upgrade?.onResponseError?.(INERT, new Error('no upgrade'));
  }

  onResponseError(controller: Controller | null, error: Error): void {
    this.#answer.onResponseError(controller, error);
    this.#upgrade?.onResponseError?.(INERT, error);
  }

  #shakeHands(headers: Readonly<Record<string, string>>, handler: Dispatcher.DispatchHandler): void {
    const { call, dispatch } = this.#parts;
    this.#upgrade = handler;
    handler.onRequestStart?.(INERT, null);
    if (call.over) return handler.onResponseError?.(INERT, new Error('the call ended before its handshake'));
    call.headers.push('sec-websocket-version', '13', 'sec-websocket-key', headers['sec-websocket-key'] ?? '');
    try {
      dispatch(call, this);
    } catch (error) {
      this.onResponseError(null, error as Error);
    }
  }

  #opened(): void {
    const { call, message } = this.#parts;
    if (call.over) return this.#shut();
    if (call.request.mayLeave?.() === false) return call.cancel('held_back');
    call.streaming = true;
    call.messageSent = true;
    if (message !== null) this.#webSocket?.send(message);
    const scrub = createOutputScrub(call.secrets, () => call.onMask());
    const stream = { status: 101, headers: this.#headers, frames: this.#frames, scrub };
    this.#settle.resolve({ is: 'stream', stream });
  }

  #message(data: unknown): void {
    if (this.#parts.call.over || this.#scrubber === null) return;
    this.#frames.put(readMessage(data, this.#scrubber));
    // Longer than it says where it is not all ASCII, which the total of bytes takes care of.
    this.#frames.took(typeof data === 'string' ? data.length : 0);
  }

  #closed({ code }: CloseEvent): void {
    const { call } = this.#parts;
    if (call.over) return void this.#wire?.destroy();
    if (!call.streaming) return this.#refuse('a handshake that is not in order');
    if (!IN_ORDER.has(code)) call.fault ??= 'reset';
    call.end();
    const ours = code === NO_CLOSE_FRAME ? (this.#wire?.closeCode ?? null) : null;
    if (IN_ORDER.has(code)) this.#frames.finish(null);
    else this.#frames.finish(toClosed(code, ours));
  }

  #count(bytes: number): void {
    const { call, clock } = this.#parts;
    call.aliveAt = clock.monotonic();
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) call.cancel('too_large');
  }

  /** The connection is ours already, but no stream came of it. */
  #refuse(reason: string): void {
    this.#wire?.destroy();
    this.onResponseError(null, new Error(`the vendor answered with ${reason}`));
  }

  /** Ends the call from our side, once the connection is ours. */
  #fail(error: Error): void {
    const { call } = this.#parts;
    if (!call.streaming) {
      this.#wire?.destroy();
      this.onResponseError(null, error);
      return;
    }
    call.end();
    this.#frames.finish(error as OutboundError);
    this.#shut();
  }

  /** With a close frame, if nothing hinders it. */
  #shut(): void {
    if (this.#wire?.writableNeedDrain === true) this.#wire.destroy();
    else this.#webSocket?.close();
  }
}

/** Takes the key of undici's handshake; everything else of its request is not ours. */
class HandshakeDispatcher extends Dispatcher {
  readonly webSocketOptions = { maxPayloadSize: FRAME_BYTES_MAX, maxFragments: FRAGMENTS_MAX };
  readonly #shakeHands: (headers: Readonly<Record<string, string>>, handler: Dispatcher.DispatchHandler) => void;

  constructor(shakeHands: (headers: Readonly<Record<string, string>>, handler: Dispatcher.DispatchHandler) => void) {
    super();
    this.#shakeHands = shakeHands;
  }

  override dispatch({ headers }: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#shakeHands(headers as Record<string, string>, handler);
    return true;
  }
}

/** undici's reins on a handshake: it drops them by closing the socket, which is seen there. */
const INERT: Dispatcher.DispatchController = {
  aborted: false,
  paused: false,
  reason: null,
  rawHeaders: null,
  rawTrailers: null,
  abort() {},
  pause() {},
  resume() {},
};

/** `ours` is the code with which undici gave the connection up: the vendor broke the protocol. */
function toClosed(code: number, ours: number | null): OutboundError {
  if (ours === TOO_LARGE) return new OutboundError('too_large', { sent: true });
  const by = ours === null ? `closed with code ${code}` : `closed from here with code ${ours}`;
  return new OutboundError('reset', { sent: true, cause: new Error(`the WebSocket was ${by}`) });
}

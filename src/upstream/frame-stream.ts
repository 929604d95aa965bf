import type { Clock } from '../core/clock.ts';
import { OutboundError, type StreamFrame } from '../core/outbound.ts';
import type { Call } from './call.ts';

/** While so many bytes' frames wait for their reader, no more are taken from the socket. */
const WAITING_BYTES_MAX = 64 * 1024;

type Step = IteratorResult<StreamFrame, undefined>;

/**
 * The frames of one call on their way from the socket to their reader. Its states: open -> ended (in order, or with an
 * error, which comes after the frames that were there) -> left (the reader or the caller's signal has gone: what waits
 * is dropped). Frames go in one side by `put` and `took`, and out of the other by one loop.
 */
export class FrameStream implements AsyncIterableIterator<StreamFrame, undefined> {
  readonly #call: Call;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #frames: StreamFrame[] = [];
  /** The next frame's place in `#frames`. */
  #at = 0;
  #waitingBytes = 0;
  #reader: { resolve(step: Step): void; reject(error: Error): void } | null = null;
  #end: { error: OutboundError | null } | null = null;
  /** The reader knows of the end. */
  #told = false;

  constructor({ call, clock, signal }: { call: Call; clock: Clock; signal: AbortSignal }) {
    this.#call = call;
    this.#clock = clock;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  put(frame: StreamFrame): void {
    if (this.#end !== null) return;
    const reader = this.#reader;
    this.#reader = null;
    if (reader === null) this.#frames.push(frame);
    else reader.resolve({ done: false, value: frame });
  }

  /** So many bytes were taken from the socket and decoded; lets the socket wait if their frames are not wanted yet. */
  took(bytes: number): void {
    if (this.#at === this.#frames.length) return;
    this.#waitingBytes += bytes;
    if (this.#waitingBytes >= WAITING_BYTES_MAX && !this.#call.paused) this.#call.pause();
  }

  /** Ends the stream; null: in order. */
  finish(error: OutboundError | null): void {
    if (this.#end !== null) return;
    this.#end = { error };
    if (error?.failure === 'aborted') this.#drop();
    const reader = this.#reader;
    this.#reader = null;
    if (reader === null) return;
    this.#told = true;
    if (error === null) reader.resolve({ done: true, value: undefined });
    else reader.reject(error);
  }

  next(): Promise<Step> {
    if (this.#signal.aborted && !this.#told && this.#end?.error === null) {
      // The vendor had ended already, so the call did not hear the signal.
      this.#drop();
      this.#end = { error: new OutboundError('aborted', { sent: this.#call.sent }) };
    }
    const frame = this.#shift();
    if (frame !== undefined) return Promise.resolve({ done: false, value: frame });
    if (this.#end === null) {
      if (this.#reader !== null) return Promise.reject(new Error('one reader takes one frame at a time'));
      return new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
    }
    const error = this.#told ? null : this.#end.error;
    this.#told = true;
    return error === null ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  /** The reader leaves: the connection is closed unless its answer has ended. */
  return(): Promise<Step> {
    this.#drop();
    this.#end ??= { error: null };
    this.#told = true;
    this.#call.cancel('aborted');
    return Promise.resolve({ done: true, value: undefined });
  }

  #shift(): StreamFrame | undefined {
    const frame = this.#frames[this.#at];
    if (frame === undefined) return undefined;
    this.#at++;
    if (this.#at === this.#frames.length) {
      this.#drop();
      if (this.#call.paused && !this.#call.over) this.#call.resume(this.#clock.monotonic());
    }
    return frame;
  }

  #drop(): void {
    this.#frames = [];
    this.#at = 0;
    this.#waitingBytes = 0;
  }
}

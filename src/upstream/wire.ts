import { Duplex } from 'node:stream';
import type { Clock } from '../core/clock.ts';

/** How long a vendor may take to read our last frame before its connection is cut. */
const CLOSING_MS = 1_000;
const CLOSE_FRAME = 0x88;
const TEXT_FRAME = 0x81;

interface WireParts {
  clock: Clock;
  /** Hears of each piece as it comes from the socket. */
  onBytes: (count: number) => void;
}

/**
 * Stands between the socket of a WebSocket and undici, for what undici's WebSocket does not offer: it holds the socket
 * back while nobody reads, counts bytes, knows the code with which undici closes, and closes the connection once the
 * close frame is written instead of waiting for the vendor to do it.
 */
export class Wire extends Duplex {
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #onBytes: (count: number) => void;
  #listening = false;
  #held = false;
  #closing = false;
  #payloadFollows = false;
  /** The code of the close frame that went out: ours, or the vendor's repeated. Null: none went. 1005: one without a code. */
  closeCode: number | null = null;

  constructor(socket: Duplex, { clock, onBytes }: WireParts) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#clock = clock;
    this.#onBytes = onBytes;
    // undici listens only once the handshake is judged, and an error that nobody hears would end the process.
    this.on('error', () => {});
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  hold(): void {
    this.#held = true;
    this.#socket.pause();
  }

  release(): void {
    this.#held = false;
    this.#socket.resume();
  }

  override _read(): void {
    this.#listen();
    if (!this.#held) this.#socket.resume();
  }

  /** Not before undici reads: bytes may come right behind the handshake, while it is not yet judged. */
  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#socket.on('data', (chunk: Buffer) => {
      if (this.destroyed) return;
      this.#onBytes(chunk.length);
      if (!this.push(chunk)) this.#socket.pause();
    });
  }

  /** undici writes each frame as one piece, except a text message: its head, then its payload. */
  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const isPayload = this.#payloadFollows;
    this.#payloadFollows = !isPayload && piece[0] === TEXT_FRAME;
    if (isPayload || piece[0] !== CLOSE_FRAME) {
      // At once where possible, or a close frame right behind would be dropped with the connection.
      if (this.#socket.write(piece)) done();
      else this.#socket.once('drain', done);
      return;
    }
    this.closeCode = closeCodeOf(piece);
    this.#close(piece);
    done();
    // After undici has noted that its close frame is out.
    process.nextTick(() => this.destroy());
  }

  override _final(done: () => void): void {
    this.#close();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#closing) this.#socket.destroy();
    done(error);
  }

  /** What still comes is dropped; what was written has a moment to leave. */
  #close(piece?: Buffer): void {
    if (this.#closing) return;
    this.#closing = true;
    const cut = () => this.#socket.destroy();
    this.#socket.once('close', this.#clock.after(CLOSING_MS, cut));
    this.#socket.resume();
    if (piece === undefined) this.#socket.end(cut);
    else this.#socket.end(piece, cut);
  }
}

/** Reads a client's close frame: two bytes of head, four of mask, then the code. */
function closeCodeOf(frame: Buffer): number {
  if (frame.length < 8) return 1_005;
  return frame.readUInt16BE(6) ^ frame.readUInt16BE(2);
}

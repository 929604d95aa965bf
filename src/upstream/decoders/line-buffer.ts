const FIRST_BYTES = 4_096;

/**
 * Gathers the pieces of one line. They are copied: a piece is a view of the socket's whole read buffer, and would keep
 * it alive. Beyond `bytesMax` the pieces are only counted.
 */
export class LineBuffer {
  readonly #bytesMax: number;
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  add(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (length <= this.#bytesMax) {
      this.#reserve(length);
      piece.copy(this.#bytes, this.#length);
    } else this.#bytes = Buffer.alloc(0);
    this.#length = length;
  }

  /** The line, for use before the next `add`; null where it was too large. Begins a new one. */
  take(): Buffer | null {
    const length = this.#length;
    this.#length = 0;
    return length > this.#bytesMax ? null : this.#bytes.subarray(0, length);
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(FIRST_BYTES, Math.min(this.#bytesMax, length * 2)));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

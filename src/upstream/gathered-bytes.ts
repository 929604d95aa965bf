/**
 * A body that comes in pieces, whose sizes the sender chooses: kept one by one, each byte could cost an object of a hundred,
 * and joined one by one a time that grows with the square. So they are copied behind one another into room that doubles;
 * only a first one stays where it is, because most bodies are one piece.
 */
export class GatheredBytes {
  #room: Buffer | null = null;
  #length = 0;

  add(piece: Buffer): void {
    if (this.#room === null) {
      this.#room = piece;
      this.#length = piece.length;
      return;
    }
    const length = this.#length + piece.length;
    if (length > this.#room.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#room.length));
      this.#room.copy(larger, 0, 0, this.#length);
      this.#room = larger;
    }
    piece.copy(this.#room, this.#length);
    this.#length = length;
  }

  /** Everything so far, which is held no longer; null: nothing came. */
  take(): Buffer | null {
    const bytes = this.#room?.subarray(0, this.#length) ?? null;
    this.#room = null;
    this.#length = 0;
    return bytes;
  }
}

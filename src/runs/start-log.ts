const CAPACITY_MIN = 8;

/** When starts left, oldest first, as monotonic milliseconds in a ring of numbers: only the latest ones are kept. */
export class StartLog {
  #ring = new Float64Array(CAPACITY_MIN);
  #oldest = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a start that is not before any other, and keeps the latest `max`. */
  push(atMs: number, max: number): void {
    if (this.#size >= max) this.#drop(this.#size - max + 1);
    if (this.#size === this.#ring.length) this.#resize(this.#size * 2);
    this.#ring[(this.#oldest + this.#size) % this.#ring.length] = atMs;
    this.#size++;
  }

  /** Takes back one start of this time, where it is still there. */
  remove(atMs: number): void {
    const times = this.times();
    const number = times.lastIndexOf(atMs);
    if (number < 0) return;
    this.#drop(this.#size);
    times.splice(number, 1);
    for (const time of times) this.push(time, times.length);
  }

  /** Adds starts of whatever time. */
  merge(times: readonly number[]): void {
    const all = [...times, ...this.times()].sort((a, b) => a - b);
    this.#drop(this.#size);
    for (const atMs of all) this.push(atMs, all.length);
  }

  /** Forgets those up to this time. */
  forgetUntil(ms: number): void {
    let expired = 0;
    while (expired < this.#size && this.at(expired) <= ms) expired++;
    if (expired > 0) this.#drop(expired);
  }

  /** The start with this number; 0: the oldest. */
  at(number: number): number {
    return this.#ring[(this.#oldest + number) % this.#ring.length] ?? 0;
  }

  /** How many were after this time. */
  countAfter(ms: number): number {
    let count = 0;
    while (count < this.#size && this.at(this.#size - 1 - count) > ms) count++;
    return count;
  }

  times(): number[] {
    return Array.from({ length: this.#size }, (_, number) => this.at(number));
  }

  #drop(count: number): void {
    this.#oldest = (this.#oldest + count) % this.#ring.length;
    this.#size -= count;
  }

  #resize(capacity: number): void {
    const ring = new Float64Array(capacity);
    for (let number = 0; number < this.#size; number++) ring[number] = this.at(number);
    this.#ring = ring;
    this.#oldest = 0;
  }
}

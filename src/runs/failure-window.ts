const BUCKETS = 10;

/** How many calls of late went wrong, in a few numbers however many calls there were. */
export class FailureWindow {
  readonly #bucketMs: number;
  readonly #calls: number[] = Array.from({ length: BUCKETS }, () => 0);
  readonly #failures: number[] = Array.from({ length: BUCKETS }, () => 0);
  /** Buckets since time began; the newest one that was written. */
  #newest = 0;
  #callsSum = 0;
  #failuresSum = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  add(failed: boolean, nowMs: number): void {
    this.#advance(nowMs);
    const bucket = this.#newest % BUCKETS;
    this.#calls[bucket] = this.#of(this.#calls, bucket) + 1;
    this.#callsSum++;
    if (!failed) return;
    this.#failures[bucket] = this.#of(this.#failures, bucket) + 1;
    this.#failuresSum++;
  }

  /** As of the latest call. */
  get calls(): number {
    return this.#callsSum;
  }

  /** As of the latest call. */
  get failures(): number {
    return this.#failuresSum;
  }

  clear(): void {
    this.#calls.fill(0);
    this.#failures.fill(0);
    this.#callsSum = 0;
    this.#failuresSum = 0;
  }

  /** Empties the buckets that have left the window. */
  #advance(nowMs: number): void {
    const current = Math.floor(nowMs / this.#bucketMs);
    if (current - this.#newest >= BUCKETS) this.clear();
    else {
      for (let number = this.#newest + 1; number <= current; number++) {
        const bucket = number % BUCKETS;
        this.#callsSum -= this.#of(this.#calls, bucket);
        this.#failuresSum -= this.#of(this.#failures, bucket);
        this.#calls[bucket] = 0;
        this.#failures[bucket] = 0;
      }
    }
    if (current > this.#newest) this.#newest = current;
  }

  #of(buckets: readonly number[], bucket: number): number {
    return buckets[bucket] ?? 0;
  }
}

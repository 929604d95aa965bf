/**
 * A map for what lives long itself while its entries come and go by the thousand, such as calls in flight.
 *
 * A plain `Map` (or `Set`) costs more there than it seems: V8 links every outgrown table of it to the next one, and
 * once one dead table has reached old space, each young collection keeps all the later ones alive, with every entry
 * that was in them when they were outgrown. Most of what each request made was so moved to old space for nothing.
 * Here the map's tables hold numbers only, and values lie in an array that forgets them at once.
 */
export class BusyMap<K extends string | number, V> {
  readonly #slots = new Map<K, number>();
  readonly #values: (V | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#slots.size;
  }

  has(key: K): boolean {
    return this.#slots.has(key);
  }

  get(key: K): V | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.#values[slot];
  }

  set(key: K, value: V): void {
    const slot = this.#slots.get(key) ?? this.#take(key);
    this.#values[slot] = value;
  }

  /** False where there was no such entry. */
  delete(key: K): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#slots.delete(key);
    this.#values[slot] = undefined;
    this.#free.push(slot);
    return true;
  }

  keys(): K[] {
    return [...this.#slots.keys()];
  }

  values(): V[] {
    return Array.from(this.#slots.values(), (slot) => this.#values[slot] as V);
  }

  #take(key: K): number {
    const slot = this.#free.pop() ?? this.#values.length;
    this.#slots.set(key, slot);
    return slot;
  }
}

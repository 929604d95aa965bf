import { formTree, NO_FORMS, type FormTree } from './form-tree.ts';
import { textsOf } from './secret-forms.ts';

/** A place is one of a character in a secret's text and a node of its tree, in one number. No tree has so many nodes. */
export const NODES_MAX = 1_024;
/** Readings are forgotten once they hold so many places together, a few megabytes, and are made anew where they are met again. */
const PLACES_KEPT_MAX = 500_000;
/** What a reading weighs beside its places, in places. */
const READING_WEIGHT = 16;

/** All that a text may be in the middle of: the places that it leads to when it is read as a secret, from wherever. */
export interface Reading {
  /** In ascending order. */
  readonly places: Float64Array;
  /** At least one of them is behind a whole secret. */
  readonly isEnd: boolean;
  /** At least one of them is not: the text may be in the middle of an echo. */
  readonly isOpen: boolean;
  /** What each next character makes of it, as far as that was asked for. */
  readonly next: Map<number, Reading>;
}

/**
 * An automaton for all ways to write some secrets. A text is read by it a character at a time, whatever it holds: what
 * it may be in the middle of is one reading, made when a text leads to it first and found again from then on. So a text
 * that repeats itself costs no more than another.
 */
export class EchoForms {
  /** One tree for each character of each text, and one without forms behind each. */
  readonly #trees: FormTree[] = [];
  /** Where the texts begin. */
  readonly #firsts: number[] = [];
  #known = new Map<number, Reading[]>();
  #placesKept = 0;
  #begin: Reading;
  /** How many places were looked at, over all texts that are read by it. */
  steps = 0;
  /** From here on whoever asks gives up. */
  stepsMax = 0;

  constructor(secrets: readonly string[]) {
    const trees = new Map<string, FormTree>();
    for (const text of new Set(secrets.flatMap(textsOf))) {
      this.#firsts.push(this.#trees.length * NODES_MAX);
      for (const char of text) {
        const tree = trees.get(char) ?? formTree(char);
        trees.set(char, tree);
        this.#trees.push(tree);
      }
      this.#trees.push(NO_FORMS);
    }
    this.#begin = this.#find(new Float64Array());
  }

  /** Of an empty text, and of any other that is not in the middle of anything. */
  get begin(): Reading {
    return this.#begin;
  }

  /** What a character makes of a reading. */
  after(reading: Reading, code: number): Reading {
    const known = reading.next.get(code);
    if (known !== undefined) return known;
    const places = new Set<number>();
    for (const place of this.#firsts) this.#follow(place, code, places);
    for (const place of reading.places) this.#follow(place, code, places);
    this.steps += READING_WEIGHT + reading.places.length + places.size;
    const next = this.#find(Float64Array.from(places).sort());
    reading.next.set(code, next);
    return next;
  }

  /** Where the echoes began that end at `to`, the earliest; `reading` is that of the text up to there. */
  beginningOfEnd(reading: Reading, text: string, to: number, before: Reading): number {
    return this.#beginning(new Set(reading.places.filter((place) => this.#isBehind(place))), { text, to, before });
  }

  /** Where began what the text is in the middle of, the earliest; its length where it is in the middle of nothing. */
  beginningOfRest(reading: Reading, text: string, before: Reading): number {
    const { length: to } = text;
    return this.#beginning(new Set(reading.places.filter((place) => !this.#isBehind(place))), { text, to, before });
  }

  /**
   * Reads backwards from `to` what leads to some places. `before`: what the text goes on from; what began before it, counts
   * from its first character. Too many steps: somewhere on the way.
   */
  #beginning(led: ReadonlySet<number>, { text, to, before }: { text: string; to: number; before: Reading }): number {
    let places = led;
    let earliest = to;
    for (let at = to; places.size > 0 && this.steps <= this.stepsMax; at--) {
      if (this.#firsts.some((place) => places.has(place))) earliest = at;
      if (at === 0) return before.places.some((place) => places.has(place)) ? 0 : earliest;
      places = this.#placesBefore(places, text.charCodeAt(at - 1));
    }
    return earliest;
  }

  /** Behind the last character of a secret. */
  #isBehind(place: number): boolean {
    return this.#treeAt(place) === NO_FORMS;
  }

  #treeAt(place: number): FormTree {
    return this.#trees[Math.floor(place / NODES_MAX)] ?? NO_FORMS;
  }

  #follow(place: number, code: number, into: Set<number>): void {
    const tree = this.#treeAt(place);
    const node = place % NODES_MAX;
    const child = tree.children[node]?.get(code);
    if (child !== undefined) into.add(place - node + child);
    if (tree.lasts[node]?.has(code)) into.add(place - node + NODES_MAX);
  }

  #placesBefore(places: ReadonlySet<number>, code: number): Set<number> {
    const before = new Set<number>();
    for (const place of places) {
      const node = place % NODES_MAX;
      if (node > 0) {
        const tree = this.#treeAt(place);
        const parent = tree.parents[node] ?? 0;
        if (tree.children[parent]?.get(code) === node) before.add(place - node + parent);
        continue;
      }
      for (const last of this.#treeAt(place - NODES_MAX).endings.get(code) ?? []) before.add(place - NODES_MAX + last);
    }
    this.steps += 1 + places.size;
    return before;
  }

  #find(places: Float64Array): Reading {
    let hash = places.length;
    for (const place of places) hash = (Math.imul(hash, 31) + place) | 0;
    const alike = this.#known.get(hash) ?? [];
    const known = alike.find((one) => isSame(one.places, places));
    if (known !== undefined) return known;
    const ends = places.reduce((count, place) => count + (this.#isBehind(place) ? 1 : 0), 0);
    const made: Reading = { places, isEnd: ends > 0, isOpen: ends < places.length, next: new Map() };
    this.#keep(hash, alike, made);
    return made;
  }

  /** Whoever is in the middle of a forgotten reading goes on from it. */
  #keep(hash: number, alike: readonly Reading[], made: Reading): void {
    this.#placesKept += READING_WEIGHT + made.places.length;
    if (this.#placesKept > PLACES_KEPT_MAX && made.places.length > 0) {
      this.#known = new Map();
      this.#placesKept = 0;
      this.#begin = this.#find(new Float64Array());
      this.#known.set(hash, [made]);
      return;
    }
    this.#known.set(hash, [...alike, made]);
  }
}

function isSame(left: Float64Array, right: Float64Array): boolean {
  return left.length === right.length && left.every((place, i) => place === right[i]);
}

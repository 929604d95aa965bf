import { formTree, NO_FORMS, type FormTree } from './form-tree.ts';
import { textsOf } from './secret-forms.ts';

/** A place is one of a character in a secret's text and a node of its tree, in one number. No tree has so many nodes. */
export const NODES_MAX = 1_024;
/** Readings are forgotten once they hold so many places together, some 20 MB, and are made anew where they are met again. */
const PLACES_KEPT_MAX = 1_000_000;
/** What a reading weighs beside its places, in places. */
const READING_WEIGHT = 16;

/** All that a text may be in the middle of: the places that it leads to when it is read as a secret, from wherever. */
export interface Reading {
  /** In ascending order. */
  readonly places: Float64Array;
  /** For each of them how many characters ago that began which leads to it, at the most. */
  readonly lengths: Float64Array;
  /** How long the echo is, at the most, that ends here; 0: none does. */
  readonly echo: number;
  /** How long that is, at the most, which may be the beginning of an echo; 0: nothing is. */
  readonly open: number;
  /** What each next character makes of it, as far as that was asked for. */
  readonly next: Map<number, Reading>;
}

/**
 * An automaton for all ways to write some secrets. A text is read by it a character at a time, whatever it holds: what
 * it may be in the middle of is one reading, made when a text leads to it first and found again from then on. So a text
 * that repeats itself costs no more than another.
 */
export class EchoForms {
  /** How many characters the secrets have. */
  readonly length: number;
  /** One tree for each character of each text, and one without forms behind each. */
  readonly #trees: FormTree[] = [];
  /** Where the texts begin. */
  readonly #firsts: number[] = [];
  #known = new Map<number, Reading[]>();
  #placesKept = 0;
  /** How many places were looked at, over all texts that are read by it. */
  steps = 0;

  constructor(secrets: readonly string[]) {
    this.length = secrets.reduce((sum, secret) => sum + secret.length, 0);
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
  }

  /** Of an empty text, and of any other that is not in the middle of anything. */
  begin(): Reading {
    return this.#find(new Map());
  }

  /** What a character makes of a reading. */
  after(reading: Reading, code: number): Reading {
    const known = reading.next.get(code);
    if (known !== undefined) return known;
    const led = new Map<number, number>();
    for (const place of this.#firsts) this.#follow(place, code, 1, led);
    for (const [i, place] of reading.places.entries()) this.#follow(place, code, (reading.lengths[i] ?? 0) + 1, led);
    this.steps += READING_WEIGHT + reading.places.length + led.size;
    const next = this.#find(led);
    reading.next.set(code, next);
    return next;
  }

  #follow(place: number, code: number, length: number, led: Map<number, number>): void {
    const tree = this.#treeAt(place);
    const node = place % NODES_MAX;
    const child = tree.children[node]?.get(code);
    if (child !== undefined) lead(led, place - node + child, length);
    if (tree.lasts[node]?.has(code)) lead(led, place - node + NODES_MAX, length);
  }

  #treeAt(place: number): FormTree {
    return this.#trees[Math.floor(place / NODES_MAX)] ?? NO_FORMS;
  }

  #find(led: ReadonlyMap<number, number>): Reading {
    const places = Float64Array.from(led.keys()).sort();
    const lengths = places.map((place) => led.get(place) ?? 0);
    let hash = places.length;
    for (const place of places) hash = (Math.imul(hash, 31) + place) | 0;
    for (const length of lengths) hash = (Math.imul(hash, 31) + length) | 0;
    const alike = this.#known.get(hash) ?? [];
    const known = alike.find((one) => isSame(one.places, places) && isSame(one.lengths, lengths));
    if (known !== undefined) return known;
    const made = this.#read(places, lengths);
    this.#placesKept += READING_WEIGHT + places.length;
    if (this.#placesKept > PLACES_KEPT_MAX) {
      // Who is in the middle of a forgotten reading goes on from it.
      this.#known = new Map();
      this.#placesKept = 0;
    }
    this.#known.set(hash, [...alike, made]);
    return made;
  }

  #read(places: Float64Array, lengths: Float64Array): Reading {
    let echo = 0;
    let open = 0;
    for (const [i, length] of lengths.entries()) {
      if (this.#treeAt(places[i] ?? 0) === NO_FORMS) echo = Math.max(echo, length);
      else open = Math.max(open, length);
    }
    return { places, lengths, echo, open, next: new Map() };
  }
}

/** Where two ways lead to one place, the longer one covers the other. */
function lead(led: Map<number, number>, place: number, length: number): void {
  led.set(place, Math.max(length, led.get(place) ?? 0));
}

function isSame(left: Float64Array, right: Float64Array): boolean {
  return left.length === right.length && left.every((value, i) => value === right[i]);
}

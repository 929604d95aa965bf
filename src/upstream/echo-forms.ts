import { formTrie, NO_FORMS, type FormTrie } from './form-trie.ts';
import { base64TextsOf, formsBehindBreak, formsOfCharacter, textsOf, type Form } from './secret-forms.ts';

/** A position is a character of a secret's text and a node of its trie, in one number. No trie has so many nodes. */
export const NODES_MAX = 1_024;
/** States are forgotten once they hold so many positions together, some 7 MB, and are made anew where they are met again. */
const POSITIONS_KEPT_MAX = 150_000;
/** What a state weighs beside its positions, in positions. */
const STATE_WEIGHT = 16;
/**
 * Steps are taken where a text leads to something new. Ordinary texts do so rarely; each way to write a secret is new once.
 * Ten million take two seconds.
 */
const STEPS_AT_FIRST = 2_000_000;
const STEPS_PER_SECRET_CHARACTER = 1_000;
const STEPS_PER_CHARACTER = 1;
const STEPS_MAX = 10_000_000;

/** All that a text may be in the middle of. */
export interface State {
  /** The positions that it leads to when it is read as a secret, from wherever; in ascending order. */
  readonly positions: Float64Array;
  /** For each of them how many characters ago the match began that leads to it; the longest, where there are several. */
  readonly ages: Float64Array;
  /** Length of the longest echo that ends here; 0: none does. */
  readonly echo: number;
  /** Length of the longest text that may be the beginning of an echo; 0: there is none. */
  readonly open: number;
  /** The transitions that were asked for, by character. */
  readonly next: Map<number, State>;
}

/**
 * A deterministic automaton for all ways to write some secrets, built lazily by subset construction: a state is made when
 * a text leads to it first, and found again from then on. So a text costs the same for each character whatever it holds,
 * and one that repeats itself no more than another.
 */
export class EchoForms {
  /** One trie for each character of each text, and one without forms behind each. */
  readonly #tries: FormTrie[] = [];
  /** Where the texts begin. */
  readonly #firsts: number[] = [];
  #known = new Map<number, State[]>();
  #positionsKept = 0;
  /** How many positions may still be looked at, in all texts that are read by it; negative: too many were. */
  #stepsLeft: number;

  constructor(secrets: readonly string[]) {
    const length = secrets.reduce((sum, secret) => sum + secret.length, 0);
    this.#stepsLeft = STEPS_AT_FIRST + length * STEPS_PER_SECRET_CHARACTER;
    const other = trieOnce(formsOfCharacter);
    const whole = (char: string) => (char <= LAST_ASCII ? wholeInAscii(char) : other(char));
    const inLines = new Set(secrets.flatMap(base64TextsOf));
    for (const text of new Set(secrets.flatMap(textsOf))) {
      this.#firsts.push(this.#tries.length * NODES_MAX);
      const trieOfOther = inLines.has(text) ? behindBreak : whole;
      let trieOf = whole;
      for (const char of text) {
        this.#tries.push(trieOf(char));
        trieOf = trieOfOther;
      }
      this.#tries.push(NO_FORMS);
    }
  }

  /** Whether there is more to work out than anybody waits for. */
  get isTired(): boolean {
    return this.#stepsLeft < 0;
  }

  /** Some more steps, for a text of so many characters. */
  rest(characters: number): void {
    this.#stepsLeft = Math.min(Math.max(0, this.#stepsLeft) + characters * STEPS_PER_CHARACTER, STEPS_MAX);
  }

  /** The state of an empty text, and of any other that is not in the middle of anything. */
  begin(): State {
    return this.#find(new Map());
  }

  /** The state after one more character. */
  after(state: State, code: number): State {
    const known = state.next.get(code);
    if (known !== undefined) return known;
    const reached = new Map<number, number>();
    for (const position of this.#firsts) this.#follow(position, code, 1, reached);
    for (const [i, position] of state.positions.entries()) {
      this.#follow(position, code, (state.ages[i] ?? 0) + 1, reached);
    }
    this.#stepsLeft -= STATE_WEIGHT + state.positions.length + reached.size;
    const next = this.#find(reached);
    state.next.set(code, next);
    return next;
  }

  #follow(position: number, code: number, age: number, reached: Map<number, number>): void {
    const trie = this.#trieAt(position);
    const node = position % NODES_MAX;
    const child = trie.children[node]?.get(code);
    if (child !== undefined) reach(reached, position - node + child, age);
    if (trie.accepting[node]?.has(code)) reach(reached, position - node + NODES_MAX, age);
  }

  #trieAt(position: number): FormTrie {
    return this.#tries[Math.floor(position / NODES_MAX)] ?? NO_FORMS;
  }

  #find(reached: ReadonlyMap<number, number>): State {
    const positions = Float64Array.from(reached.keys()).sort();
    const ages = positions.map((position) => reached.get(position) ?? 0);
    let hash = positions.length;
    for (const position of positions) hash = (Math.imul(hash, 31) + position) | 0;
    for (const age of ages) hash = (Math.imul(hash, 31) + age) | 0;
    const alike = this.#known.get(hash) ?? [];
    const known = alike.find((one) => isSame(one.positions, positions) && isSame(one.ages, ages));
    if (known !== undefined) return known;
    const made = this.#stateOf(positions, ages);
    this.#positionsKept += STATE_WEIGHT + positions.length;
    if (this.#positionsKept > POSITIONS_KEPT_MAX) {
      // Whoever is at a forgotten state goes on from it.
      this.#known = new Map();
      this.#positionsKept = 0;
    }
    this.#known.set(hash, [...alike, made]);
    return made;
  }

  #stateOf(positions: Float64Array, ages: Float64Array): State {
    let echo = 0;
    let open = 0;
    for (const [i, age] of ages.entries()) {
      if (this.#trieAt(positions[i] ?? 0) === NO_FORMS) echo = Math.max(echo, age);
      else open = Math.max(open, age);
    }
    return { positions, ages, echo, open, next: new Map() };
  }
}

/** Characters of ASCII are in all secrets, and to list their forms takes longer than to read a short stream. */
const LAST_ASCII = '\u007f';
const wholeInAscii = trieOnce(formsOfCharacter);
/** Of base64's 64 characters. */
const behindBreak = trieOnce(formsBehindBreak);

/** Makes the trie of each character once. */
function trieOnce(formsOf: (char: string) => Form[]): (char: string) => FormTrie {
  const tries = new Map<string, FormTrie>();
  return (char) => {
    const trie = tries.get(char) ?? formTrie(formsOf(char));
    tries.set(char, trie);
    return trie;
  };
}

/** Where two matches are at one position, the older one covers the other. */
function reach(reached: Map<number, number>, position: number, age: number): void {
  reached.set(position, Math.max(age, reached.get(position) ?? 0));
}

function isSame(left: Float64Array, right: Float64Array): boolean {
  return left.length === right.length && left.every((value, i) => value === right[i]);
}

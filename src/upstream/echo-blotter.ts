import { escapable, formsOfCharacter, plainForms, type Form } from './secret-forms.ts';

/** Ordinary texts take a few steps a character at most; those that repeat what a secret begins with, as many as it repeats. */
const STEPS_PER_CHARACTER = 100;
const STEPS_AT_FIRST = 1_000_000;
/** About a second. What was saved up is not spent at once; but a long text in one piece may take so many for each character. */
const STEPS_MAX = 30_000_000;
const STEPS_PER_CHARACTER_OF_LONG = 16;
const MASK = '[secret]';
const NOWHERE: readonly State[] = [];

/** How far a text reads as a secret. */
class State {
  /** The whole secret has been read. */
  readonly isEnd: boolean;
  /** In which step it was reached last, and as which of those that were reached in it. */
  step = 0;
  place = 0;
  readonly #expand: () => ReadonlyMap<number, readonly State[]>;
  #next: ReadonlyMap<number, readonly State[]> | null = null;

  constructor(isEnd: boolean, expand: () => ReadonlyMap<number, readonly State[]>) {
    this.isEnd = isEnd;
    this.#expand = expand;
  }

  /** Where each next character leads. Made as far as texts have been read, which is nearly never far. */
  get next(): ReadonlyMap<number, readonly State[]> {
    return (this.#next ??= this.#expand());
  }
}

/** A text of so many characters, each of which may be written in several forms. */
interface Pattern {
  readonly length: number;
  readonly forms: (index: number) => readonly Form[];
}

/** A nondeterministic automaton for all ways to write some secrets; its states are made when a text reaches them. */
export class EchoForms {
  /** Where a text that begins here leads, by its first character. */
  readonly first: (readonly State[] | undefined)[] = Array.from({ length: 256 });
  /** Counts steps over all texts, which may take turns. */
  steps = 0;

  constructor(secrets: readonly string[]) {
    const escaped = escapable(secrets);
    // Each character as it is is one of its forms.
    const followed = new Set(escaped.map((secret) => Buffer.from(secret).toString('latin1')));
    const plain = [...new Set(secrets.flatMap(plainForms))].filter((form) => !followed.has(form));
    const patterns = [...escaped.map(escapedPattern), ...plain.map(plainPattern)];
    for (const pattern of patterns) {
      for (const [code, states] of beginningOf(pattern).next) {
        this.first[code] = [...(this.first[code] ?? NOWHERE), ...states];
      }
    }
  }
}

function escapedPattern(secret: string): Pattern {
  const characters = Array.from(secret);
  return { length: characters.length, forms: (index) => formsOfCharacter(characters[index] ?? '') };
}

function plainPattern(form: string): Pattern {
  return { length: form.length, forms: (index) => [{ text: form.charAt(index), anyCase: false }] };
}

function beginningOf({ length, forms }: Pattern): State {
  const states: State[] = [];
  const at = (index: number): State => {
    const next = () => (index === length ? new Map() : branch(forms(index), () => at(index + 1)));
    return (states[index] ??= new State(index === length, next));
  };
  return at(0);
}

/** Where the forms' first characters lead; `whole`: where a whole form does. */
function branch(forms: readonly Form[], whole: () => State): ReadonlyMap<number, readonly State[]> {
  const rests = new Map<string, Form[]>();
  for (const { text, anyCase } of forms) {
    const [first = ''] = text;
    const firsts = anyCase && /[a-f]/.test(first) ? [first, first.toUpperCase()] : [first];
    for (const one of firsts) rests.set(one, [...(rests.get(one) ?? []), { text: text.slice(first.length), anyCase }]);
  }
  return new Map(
    Array.from(rests, ([first, begun]) => {
      const longer = begun.filter(({ text }) => text !== '');
      const ends = longer.length < begun.length ? [whole()] : [];
      const states = longer.length > 0 ? [...ends, new State(false, () => branch(longer, whole))] : ends;
      return [first.charCodeAt(0), states];
    }),
  );
}

interface Echo {
  from: number;
  to: number;
}

/**
 * Blots echoes out of a text that comes in pieces, wherever it is cut. All ways to read it are followed at once, a
 * character at a time, so that none is read twice; held back is only what may be the beginning of an echo.
 *
 * Where text and secret both repeat the same few characters for long, there are more ways than anybody waits for: then the
 * piece that takes too many steps is replaced by a mask, and nothing is told any more.
 */
export class EchoBlotter {
  readonly #forms: EchoForms;
  /** What was reached, and where each began that leads to it: the earliest, which covers the others. */
  #reached: State[] = [];
  #begun: number[] = [];
  /** Apart from each other, in order; what is not blotted out yet. */
  #echoes: Echo[] = [];
  #held = '';
  /** How many characters came, and how many of them are dealt with: told, or blotted out. */
  #came = 0;
  #done = 0;
  /** How the last of them was dealt with. */
  #endsBlotted = false;
  #stepsLeft = STEPS_AT_FIRST;
  #gaveUp = false;

  constructor(forms: EchoForms) {
    this.#forms = forms;
  }

  /** Whether something was held back. */
  get isHolding(): boolean {
    return this.#held !== '';
  }

  /** What can be told now; empty where all of it may be the beginning of an echo. */
  push(text: string): string {
    if (this.#gaveUp) return '';
    const stepsMax = Math.max(STEPS_MAX, text.length * STEPS_PER_CHARACTER_OF_LONG);
    this.#stepsLeft = Math.min(this.#stepsLeft + text.length * STEPS_PER_CHARACTER, stepsMax);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      const first = this.#forms.first[code];
      if (first !== undefined || this.#reached.length > 0) this.#read(code, this.#came + i, first ?? NOWHERE);
    }
    this.#held += text;
    this.#came += text.length;
    if (this.#stepsLeft < 0) return this.#giveUp();
    const begun = this.#begun.reduce((least, from) => Math.min(least, from), this.#came);
    // After an end, an echo may have begun in what was told then.
    return this.#tell(Math.max(begun, this.#came - this.#held.length));
  }

  /**
   * Hands on what was held back, without waiting for what may follow. More may be pushed; an echo that goes on is then
   * blotted out from there.
   */
  end(): string {
    return this.#tell(this.#came);
  }

  #read(code: number, at: number, first: readonly State[]): void {
    const [reached, begun] = [this.#reached, this.#begun];
    this.#reached = [];
    this.#begun = [];
    this.#stepsLeft -= reached.length;
    if (this.#stepsLeft < 0) return;
    const step = ++this.#forms.steps;
    for (let i = 0; i < reached.length; i++) {
      for (const state of reached[i]?.next.get(code) ?? NOWHERE) this.#reach(state, step, begun[i] ?? at, at);
    }
    for (const state of first) this.#reach(state, step, at, at);
  }

  #reach(state: State, step: number, from: number, at: number): void {
    if (state.isEnd) {
      this.#found({ from, to: at + 1 });
    } else if (state.step === step) {
      this.#begun[state.place] = Math.min(this.#begun[state.place] ?? from, from);
    } else {
      state.step = step;
      state.place = this.#reached.push(state) - 1;
      this.#begun.push(from);
    }
  }

  /** Echoes are found in the order of their ends; what overlaps becomes one. */
  #found(echo: Echo): void {
    let { from } = echo;
    for (let last = this.#echoes.at(-1); last !== undefined && last.to > from; last = this.#echoes.at(-1)) {
      from = Math.min(from, last.from);
      this.#echoes.pop();
    }
    this.#echoes.push({ from, to: echo.to });
  }

  /** Tells what came before `until`. An echo that reaches beyond it is blotted out at once, though a next one may begin in it. */
  #tell(until: number): string {
    const start = this.#came - this.#held.length;
    let told = '';
    let gone = 0;
    for (const { from, to } of this.#echoes) {
      if (from >= until) break;
      gone++;
      if (from > this.#done) told += this.#held.slice(this.#done - start, from - start);
      // What overlaps with an echo that was blotted out is part of its mask.
      if (from >= this.#done || !this.#endsBlotted) told += MASK;
      this.#done = Math.max(this.#done, to);
      this.#endsBlotted = true;
    }
    this.#echoes.splice(0, gone);
    if (this.#done < until) {
      told += this.#held.slice(this.#done - start, until - start);
      this.#done = until;
      this.#endsBlotted = false;
    }
    this.#held = this.#held.slice(until - start);
    return told;
  }

  #giveUp(): string {
    this.#gaveUp = true;
    this.#held = '';
    this.#echoes = [];
    return MASK;
  }
}

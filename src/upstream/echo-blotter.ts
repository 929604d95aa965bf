import type { EchoForms, Reading } from './echo-forms.ts';

/** Steps are taken where a text leads to something new, and back to where an echo began. Ordinary texts do neither for long. */
const STEPS_AT_FIRST = 5_000_000;
const STEPS_PER_CHARACTER = 10;
/** Half a second, or a whole one. */
const STEPS_MAX = 10_000_000;
/** So much may be held back before it is looked up how much of it may really be the beginning of an echo. */
const HELD_MAX = 64;
const MASK = '[secret]';

interface Echo {
  from: number;
  to: number;
}

/**
 * Blots echoes out of a text that comes in pieces, wherever it is cut. All ways to read it are followed at once, a
 * character at a time; where an echo ends, it is read backwards to where it began. Held back is only what may be the
 * beginning of an echo.
 *
 * Where text and secret both repeat the same few characters for long, there are more ways than anybody waits for: then the
 * piece that takes too many steps is replaced by a mask, and nothing is told any more.
 */
export class EchoBlotter {
  readonly #forms: EchoForms;
  readonly #onGivenUp: () => void;
  #reading: Reading;
  /** What the text that is held goes on from: nothing, but for what was in the middle of something at an end. */
  #before: Reading;
  /** Apart from each other, in order; what is not blotted out yet. */
  #echoes: Echo[] = [];
  #held = '';
  /** How many characters came, and how many of them are dealt with: told, or blotted out. */
  #came = 0;
  #done = 0;
  /** How the last of them was dealt with. */
  #endsBlotted = false;
  /** Whatever the text may be in the middle of, it began here at the earliest. */
  #begun = 0;
  /** How much is held when it is looked up anew. */
  #heldMax = HELD_MAX;
  #stepsLeft = STEPS_AT_FIRST;
  #gaveUp = false;

  constructor(forms: EchoForms, onGivenUp: () => void) {
    this.#forms = forms;
    this.#onGivenUp = onGivenUp;
    this.#reading = forms.begin;
    this.#before = forms.begin;
  }

  /** Whether something was held back. */
  get isHolding(): boolean {
    return this.#held !== '';
  }

  /** What can be told now; empty where all of it may be the beginning of an echo. */
  push(text: string): string {
    if (this.#gaveUp) return '';
    const forms = this.#forms;
    const stepsMax = Math.min(this.#stepsLeft + text.length * STEPS_PER_CHARACTER, STEPS_MAX);
    const stepsBefore = forms.steps;
    forms.stepsMax = stepsBefore + stepsMax;
    const start = this.#came - this.#held.length;
    this.#held += text;
    this.#read(this.#came - start, start);
    this.#came += text.length;
    if (this.#came - this.#begun > this.#heldMax) this.#lookUpBeginning(start);
    else if (this.#came - this.#begun <= HELD_MAX) this.#heldMax = HELD_MAX;
    this.#stepsLeft = stepsMax - (forms.steps - stepsBefore);
    return this.#stepsLeft < 0 ? this.#giveUp() : this.#tell(Math.max(this.#begun, start));
  }

  /**
   * Hands on what was held back, without waiting for what may follow. More may be pushed; an echo that goes on is then
   * blotted out from there.
   */
  end(): string {
    const told = this.#tell(this.#came);
    this.#before = this.#reading;
    return told;
  }

  #read(first: number, start: number): void {
    const forms = this.#forms;
    const text = this.#held;
    let reading = this.#reading;
    for (let i = first; i < text.length && forms.steps <= forms.stepsMax; i++) {
      reading = forms.after(reading, text.charCodeAt(i));
      if (reading.isEnd) {
        const from = forms.beginningOfEnd(reading, text, i + 1, this.#before);
        this.#found({ from: start + from, to: start + i + 1 });
      }
      if (!reading.isOpen) this.#begun = start + i + 1;
    }
    this.#reading = reading;
  }

  /** The more is held, the rarer, so that a text in small pieces costs no more than a whole one. */
  #lookUpBeginning(start: number): void {
    this.#begun = start + this.#forms.beginningOfRest(this.#reading, this.#held, this.#before);
    this.#heldMax = Math.max(HELD_MAX, (this.#came - this.#begun) * 1.25);
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
    if (until > start) this.#before = this.#forms.begin;
    return told;
  }

  #giveUp(): string {
    this.#gaveUp = true;
    this.#held = '';
    this.#echoes = [];
    this.#onGivenUp();
    return MASK;
  }
}

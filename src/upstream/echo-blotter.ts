import type { EchoForms, State } from './echo-forms.ts';

const MASK = '[secret]';

interface Echo {
  from: number;
  to: number;
}

/**
 * Blots echoes out of a text that comes in pieces, wherever it is cut. All ways to read it are followed at once, a
 * character at a time; held back is only what may be the beginning of an echo.
 *
 * Where a text writes a secret in ever new ways, or both repeat the same few characters for thousands, there is more to work
 * out than anybody waits for: then the piece that takes too many steps is replaced by a mask, and nothing is told any more.
 */
export class EchoBlotter {
  readonly #forms: EchoForms;
  readonly #onGivenUp: () => void;
  #state: State;
  /** Apart from each other, in order; what is not blotted out yet. */
  #echoes: Echo[] = [];
  #held = '';
  /** How many characters came, and how many of them are dealt with: told, or blotted out. */
  #came = 0;
  #done = 0;
  /** How the last of them was dealt with. */
  #endsBlotted = false;
  #gaveUp = false;

  constructor(forms: EchoForms, onGivenUp: () => void) {
    this.#forms = forms;
    this.#onGivenUp = onGivenUp;
    this.#state = forms.begin();
  }

  /** Whether something was held back. */
  get isHolding(): boolean {
    return this.#held !== '';
  }

  /** What can be told now; empty where all of it may be the beginning of an echo. */
  push(text: string): string {
    if (this.#gaveUp) return '';
    const forms = this.#forms;
    forms.rest(text.length);
    // After an end, an echo may have begun in what was told then.
    const start = this.#came - this.#held.length;
    let state = this.#state;
    for (let i = 0; i < text.length && !forms.isTired; i++) {
      state = forms.after(state, text.charCodeAt(i));
      const to = this.#came + i + 1;
      if (state.echo > 0) this.#found({ from: Math.max(start, to - state.echo), to });
    }
    this.#state = state;
    this.#held += text;
    this.#came += text.length;
    return forms.isTired ? this.#giveUp() : this.#tell(Math.max(start, this.#came - state.open));
  }

  /**
   * Hands on what was held back, without waiting for what may follow. More may be pushed; an echo that goes on is then
   * blotted out from there.
   */
  end(): string {
    return this.#tell(this.#came);
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
    this.#onGivenUp();
    return MASK;
  }
}

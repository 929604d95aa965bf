import { formsOfCharacter, type Form } from './secret-forms.ts';

/** Some 50 ms. */
const COMPARISONS_AT_FIRST = 5_000_000;
const COMPARISONS_PER_TEXT = 10_000;
/** Ordinary texts take less than one, and one that is nothing but echoes ten. */
const COMPARISONS_PER_CHARACTER = 30;

/** How a text reads as a secret from one place on. */
interface Reading {
  /** Where the secret's longest echo from there ends; null: there is none. */
  readonly end: number | null;
  /** The text ends in the middle of what may become one. */
  readonly cutShort: boolean;
}

/**
 * What searches may cost, in comparisons. A secret of a hundred backslashes, which each stand for up to eight, can be read
 * into a text of backslashes in more ways than anybody waits for; whoever sends such an answer is to blame for it.
 */
export class SearchEffort {
  #left = COMPARISONS_AT_FIRST;

  /** A text that comes next is worth so much more. */
  allow(text: string): void {
    this.#left += COMPARISONS_PER_TEXT + text.length * COMPARISONS_PER_CHARACTER;
  }

  /** Throws where the search has cost too much; then nothing of the text may be shown. */
  spend(comparisons: number): void {
    this.#left -= comparisons;
    if (this.#left < 0)
      throw new Error('an answer could be read as our secret in too many ways to look for all of them');
  }
}

/** A secret, each character of which may stand in any of its forms. */
export class EscapedSecret {
  readonly #characters: readonly string[];
  /** Listed as far as a text has been read, which is nearly never beyond the second. */
  readonly #forms: Form[][] = [];

  constructor(secret: string) {
    this.#characters = Array.from(secret);
  }

  /** What its first characters may look like, each in all its forms. */
  beginning(length: number): readonly (readonly Form[])[] {
    return Array.from({ length: Math.min(length, this.#characters.length) }, (_, index) => this.#formsAt(index));
  }

  /** Follows all ways of reading at once, so that what they have in common is read once. */
  read(text: string, from: number, effort: SearchEffort): Reading {
    let ends = [from];
    let cutShort = false;
    for (let i = 0; i < this.#characters.length; i++) {
      const next: number[] = [];
      for (const at of ends) {
        for (const form of this.#formsAt(i)) {
          effort.spend(1 + next.length);
          const to = endOf(form, text, at);
          if (to > text.length) cutShort = true;
          else if (to > 0 && !next.includes(to)) next.push(to);
        }
      }
      if (next.length === 0) return { end: null, cutShort };
      ends = next;
    }
    return { end: Math.max(...ends), cutShort };
  }

  #formsAt(index: number): readonly Form[] {
    return (this.#forms[index] ??= formsOfCharacter(this.#characters[index] ?? ''));
  }
}

/** Where the form ends that stands in the text: beyond the text's end where it is cut short, 0 where it is another. */
function endOf({ text: form, anyCase }: Form, text: string, at: number): number {
  const to = at + form.length;
  if (at < text.length && text.charCodeAt(at) !== form.charCodeAt(0)) return 0;
  if (text.startsWith(form, at)) return to;
  if (to <= text.length) return anyCase && text.slice(at, to).toLowerCase() === form ? to : 0;
  const rest = text.slice(at);
  return form.startsWith(anyCase ? rest.toLowerCase() : rest) ? to : 0;
}

import type { StreamSignal } from '../define-provider.ts';
import type { Outcome } from '../outcome.ts';

/** An answer that comes in pieces, each of which is told at once. What one stream may bring is bounded where it is read. */
export interface GatheredText {
  delta(text: string): readonly StreamSignal[];
  /** Something came in which no piece was found. */
  missed(): void;
  /** Everything so far. */
  text(): string;
  /** Whether no piece has come yet, without putting those that have together. */
  isEmpty(): boolean;
  /** The stream has said that this was all. Throws where all that came was missed: that was no empty answer. */
  finished(): readonly StreamSignal[];
  /** The stream ended in order, and its end is the only one that it has. Null: without a word. Throws as `finished` does. */
  ended(): Outcome | null;
}

/** Nothing gathered yet; `finish` makes the end of the run out of the whole text. */
export function createGatheredText(finish: (text: string) => Outcome): GatheredText {
  const pieces: string[] = [];
  const text = () => pieces.join('');
  let hasMissed = false;
  function whole(): Outcome {
    if (hasMissed && pieces.length === 0) throw new TypeError('expected an answer in a form that is known');
    return finish(text());
  }
  return {
    delta(piece) {
      if (piece === '') return [];
      pieces.push(piece);
      return [{ is: 'delta', text: piece }];
    },
    missed: () => void (hasMissed = true),
    text,
    isEmpty: () => pieces.length === 0,
    finished: () => [{ is: 'outcome', outcome: whole() }],
    ended: () => (pieces.length === 0 && !hasMissed ? null : whole()),
  };
}

import type { StreamReader } from '../define-provider.ts';
import type { Outcome } from '../outcome.ts';
import { createGatheredText } from './gathered-text.ts';

/**
 * Reads a stream whose every piece is a piece of the answer. It has no other end than its own; one that ends without a
 * word is no answer that anybody wrote.
 */
export function createTextStreamReader(finish: (text: string) => Outcome): StreamReader {
  const gathered = createGatheredText(finish);
  return {
    read(frame) {
      if (frame.kind !== 'text') throw new TypeError('expected text');
      return gathered.delta(frame.text);
    },
    end() {
      const text = gathered.text();
      return text === '' ? null : finish(text);
    },
  };
}

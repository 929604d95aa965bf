import type { Decoder, Emit } from './decoder.ts';

/**
 * Plain text: a frame for each chunk. A character that is cut in two waits for its other half; bytes that are no UTF-8
 * become U+FFFD; a byte order mark at the beginning is left out.
 */
export function decodeText(emit: Emit): Decoder {
  const decoder = new TextDecoder();
  const hand = (text: string) => {
    if (text !== '') emit({ kind: 'text', text });
  };
  return {
    push: (chunk) => hand(decoder.decode(chunk, { stream: true })),
    end: () => hand(decoder.decode()),
  };
}

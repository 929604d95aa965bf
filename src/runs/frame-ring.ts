import type { Chunk } from './event-pages.ts';

const CHUNKS_MAX = 64;

/** The last chunks that were read of a run's log, in a row and of bounded size, for who comes a little late. */
export interface FrameRing {
  /** The last event that was read. */
  readonly seq: number;
  /** Takes the chunk behind `seq`. */
  push(chunk: Chunk): void;
  /** What lies behind `seq`, or null where the ring does not go back so far. */
  after(seq: number): readonly Chunk[] | null;
}

/** Begins, empty, behind the event `seq`. */
export function createFrameRing(seq: number, charactersMax: number): FrameRing {
  let last = seq;
  let characters = 0;
  let chunks: Chunk[] = [];
  return {
    get seq() {
      return last;
    },
    push(chunk) {
      last = chunk.last;
      characters += chunk.text.length;
      chunks.push(chunk);
      while (chunks.length > CHUNKS_MAX || characters > charactersMax) characters -= chunks.shift()?.text.length ?? 0;
    },
    after(from) {
      const first = chunks.findIndex(({ after }) => after === from);
      return first === -1 ? null : chunks.slice(first);
    },
  };
}

import type { StreamFrame } from '../../core/outbound.ts';

/** Larger events, lines and messages are not gathered. */
export const FRAME_BYTES_MAX = 1024 * 1024;

/** Makes frames of a stream's bytes, however they are cut, and hands on each as soon as it is whole. */
export interface Decoder {
  push(chunk: Buffer): void;
  /** The stream has ended in order: what needs no more to be whole is handed on. */
  end(): void;
}

export type Emit = (frame: StreamFrame) => void;

import { createHash } from 'node:crypto';

/** The span id that follows from a text: whoever knows the text can name the span, over restarts too. */
export function spanIdFrom(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

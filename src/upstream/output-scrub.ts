import type { Secret } from '../core/secret.ts';
import type { OutputScrub } from '../core/outbound.ts';
import { scrubberOf } from './scrubber.ts';

/**
 * Blots a call's secrets out of what is put together from several of its frames, each of which is scrubbed already.
 * `onGivenUp`: as of `scrubberOf`.
 */
export function createOutputScrub(secrets: readonly Secret[], onGivenUp: () => void): OutputScrub {
  const scrubber = scrubberOf(secrets, onGivenUp);
  const stream = scrubber.stream();
  // Half of a surrogate pair has no bytes of its own.
  let half = '';
  return {
    text: (value) => scrubber.unicode(value),
    push(piece) {
      const whole = half + piece;
      half = /[\ud800-\udbff]$/.exec(whole)?.[0] ?? '';
      const text = whole.slice(0, whole.length - half.length);
      const bytes = Buffer.from(text);
      const clean = stream.push(bytes);
      return clean === bytes ? text : clean.toString();
    },
    end() {
      const rest = stream.end().toString() + half;
      half = '';
      return rest;
    },
  };
}

import { EscapedSecret, SearchEffort } from './escaped-secret.ts';
import { createScrubber, type Scrubber } from './scrubber.ts';
import { characterForms, escapable, plainForms, worthScrubbing, type Form } from './secret-forms.ts';

/** Blots secrets out of bytes that come in pieces, wherever an echo is cut in two. */
export interface StreamScrubber {
  /** What can be handed on now; empty where all of it might be the beginning of an echo. */
  push(chunk: Buffer): Buffer;
  /** What was held back, once nothing can follow it. */
  end(): Buffer;
}

const NOTHING = Buffer.alloc(0);
const HEX = '0123456789abcdefABCDEF';

/**
 * Holds back no more than the end of what came, and only while it reads like the beginning of a secret in one of the
 * forms that `createScrubber` finds. So a piece that ends in a character no form holds, such as the line break after
 * each event or line, passes at once, and nothing longer than the longest form ever waits.
 */
export function createStreamScrubber(
  secrets: readonly string[],
  scrubber: Scrubber = createScrubber(...secrets),
): StreamScrubber {
  const wanted = worthScrubbing(secrets);
  if (wanted.length === 0) return { push: (chunk) => chunk, end: () => NOTHING };
  const beginnings = createBeginnings(wanted);
  const effort = new SearchEffort();
  let held = '';
  /** Where to stop for now. What is an echo already is not cut, though its end might begin another one. */
  const beforeBeginning = (text: string) => {
    let cut = beginnings.find(text, 0, effort);
    if (cut === text.length) return cut;
    for (const { from, to } of scrubber.places(text, effort)) {
      if (from < cut && to > cut) cut = beginnings.find(text, to, effort);
    }
    return cut;
  };
  return {
    push(chunk) {
      const before = held + chunk.toString('latin1');
      const cut = beforeBeginning(before);
      const ready = cut === before.length ? before : before.slice(0, cut);
      const clean = scrubber.text(ready, effort);
      const same = held === '' && cut === before.length && clean === before;
      held = before.slice(cut);
      return same ? chunk : Buffer.from(clean, 'latin1');
    },
    end() {
      const rest = scrubber.text(held, effort);
      held = '';
      return rest === '' ? NOTHING : Buffer.from(rest, 'latin1');
    },
  };
}

/** Finds, not before `from`, where the end of a text begins that could be the beginning of a secret; the text's length where there is none. */
function createBeginnings(secrets: readonly string[]): {
  find(text: string, from: number, effort: SearchEffort): number;
} {
  const plain = secrets.flatMap(plainForms);
  const escaped = escapable(secrets);
  const forms = escaped.map(characterForms);
  const readers = escaped.map((secret) => new EscapedSecret(secret));
  const inside = flags([HEX, '%\\u', ...plain, ...forms.flat(2).map(({ text }) => text)].join(''));
  const first = flags([...plain.map((form) => form.charAt(0)), ...forms.map(firstCharacters)].join(''));
  const longest = Math.max(...plain.map(({ length }) => length), ...forms.map(longestForm));
  const isBeginning = (text: string, at: number, effort: SearchEffort) =>
    plain.some((form) => text.length - at < form.length && form.startsWith(text.slice(at))) ||
    readers.some((one) => one.read(text, at, effort).cutShort);
  return {
    find(text, from, effort) {
      const floor = Math.max(from, text.length - longest);
      effort.allow(text);
      let at = text.length;
      while (at > floor && inside[text.charCodeAt(at - 1)] === 1) at--;
      for (; at < text.length; at++) {
        if (first[text.charCodeAt(at)] === 1 && isBeginning(text, at, effort)) return at;
      }
      return text.length;
    },
  };
}

function longestForm(characters: readonly (readonly Form[])[]): number {
  return characters.reduce((sum, forms) => sum + Math.max(...forms.map(({ text }) => text.length)), 0);
}

function firstCharacters(characters: readonly (readonly Form[])[]): string {
  return (characters[0] ?? []).map(({ text }) => text.charAt(0)).join('');
}

function flags(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)] = 1;
  return table;
}

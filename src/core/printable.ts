/** Control, format and line-separating characters, which can move a terminal's cursor or hide text, and halves of a character. */
const HARMFUL = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const EACH_HARMFUL = new RegExp(HARMFUL, 'gu');

/** Whether a text, which may be empty, can be shown as it is, and is the same after it was written as UTF-8. */
export function isPrintable(text: string): boolean {
  return !HARMFUL.test(text);
}

/** A text as it may be shown on a terminal, on one line. */
export function printable(text: string): string {
  return text.replace(EACH_HARMFUL, escapeUnits);
}

/** A character as JSON escapes it. */
export function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, i) => {
    return `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }).join('');
}

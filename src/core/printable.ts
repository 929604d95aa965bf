/** Control, format and line-separating characters, which can move a terminal's cursor or hide text. */
const HARMFUL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text as it may be shown on a terminal, on one line. */
export function printable(text: string): string {
  return text.replace(HARMFUL, escapeUnits);
}

/** A character as JSON escapes it. */
export function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, i) => {
    return `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }).join('');
}

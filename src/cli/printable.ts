/** Control, format and line-separating characters, which can move a terminal's cursor or hide text. */
const HARMFUL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** The same, as far as JSON leaves them unescaped. */
const HARMFUL_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A stored text as it may be shown on a terminal, on one line. */
export function printable(text: string): string {
  return text.replace(HARMFUL, escapeUnits);
}

/** JSON that is safe on a terminal and means the same to a parser. */
export function printableJson(document: unknown, indent?: number): string {
  return JSON.stringify(document, null, indent).replace(HARMFUL_IN_JSON, escapeUnits);
}

function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, i) => {
    return `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }).join('');
}

import { escapeUnits } from '../core/printable.ts';

export { printable } from '../core/printable.ts';

/** What moves a terminal's cursor or hides text, as far as JSON leaves it unescaped. */
const HARMFUL_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON that is safe on a terminal and means the same to a parser. */
export function printableJson(document: unknown, indent?: number): string {
  return JSON.stringify(document, null, indent).replace(HARMFUL_IN_JSON, escapeUnits);
}

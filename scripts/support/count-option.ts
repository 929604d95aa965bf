/** Reads an option that counts something: a whole number from 1 on. Throws `RangeError` for anything else. */
export function countOption(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new RangeError(`--${name}: expected a whole number from 1 to 999999999`);
}

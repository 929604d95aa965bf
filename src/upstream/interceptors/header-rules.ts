const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
// Visible ASCII, blanks and tabs: no CR, LF or NUL, and nothing whose encoding a vendor could read differently.
const VALUE = /^[\t\x20-\x7e]*$/;

/** True for a header name by RFC 9110. */
export function headerNameIsSafe(name: string): boolean {
  return NAME.test(name);
}

/** True for a value that can be written as one header line and nothing else. */
export function headerValueIsSafe(value: string): boolean {
  return VALUE.test(value);
}

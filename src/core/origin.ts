/** Of a value that is none, so much is shown. */
const SHOWN_MAX = 100;

/** `ORIGIN_FORM`, and which value was given instead: it is no secret, unless somebody put a password into it. */
export function originFault(given: string): string {
  if (given.includes('@')) return ORIGIN_FORM;
  const shown = given.length > SHOWN_MAX ? `${given.slice(0, SHOWN_MAX)}…` : given;
  return `${ORIGIN_FORM}; not ${JSON.stringify(shown)}`;
}

/** Longer than any that has a use: a host name has at most 253 characters. */
const ORIGIN_LENGTH_MAX = 300;
/** URLs take more: a pattern (`*.example.com`) would look as if it counted. */
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:]+\])$/;
/** What a browser takes for its own machine: plain HTTP is good enough there. */
const OWN_MACHINE = new Set(['localhost', '127.0.0.1', '[::1]']);

/** What a browser origin that is named must look like, for those who named another. */
export const ORIGIN_FORM =
  'a scheme and a host in lower case, such as https://app.example.com, with no slash at the end and no default port; http:// only for localhost, 127.0.0.1 and [::1]';

/**
 * Whether the text is a browser origin, in the one form in which browsers send it (RFC 6454, section 6.2), so that
 * origins can be compared as texts: lower case, no path, not even a slash, no usual port, never `null`.
 */
export function isOrigin(text: string): boolean {
  if (text.length > ORIGIN_LENGTH_MAX || !URL.canParse(text)) return false;
  const { origin, protocol, hostname } = new URL(text);
  if (origin !== text || !HOST.test(hostname)) return false;
  return protocol === 'https:' || (protocol === 'http:' && OWN_MACHINE.has(hostname));
}

import { OutboundError } from '../core/outbound.ts';

/** A base URL, taken apart once. */
export interface Target {
  /** Scheme, host and port, as URLs normalise them. */
  readonly origin: string;
  /** Without a trailing slash; empty for the root. */
  readonly basePath: string;
}

const TARGETS_MAX = 512;

/** Parses base URLs and remembers the last ones, so that a call costs no URL parsing. */
export function createTargets(): (baseUrl: string) => Target {
  const known = new Map<string, Target>();
  return (baseUrl) => {
    let target = known.get(baseUrl);
    if (target === undefined) {
      target = parseTarget(baseUrl);
      if (known.size >= TARGETS_MAX) known.delete(known.keys().next().value ?? '');
      known.set(baseUrl, target);
    }
    return target;
  };
}

/** Throws `OutboundError` `invalid_request`; the message never holds the URL, which might hold a password. */
function parseTarget(baseUrl: string): Target {
  const url = URL.parse(baseUrl);
  if (url === null) throw invalidRequest('the base URL is no URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalidRequest('the base URL is neither http nor https');
  }
  if (url.username !== '' || url.password !== '') throw invalidRequest('the base URL holds a user name or password');
  if (url.search !== '' || url.hash !== '') throw invalidRequest('the base URL has a query or fragment');
  return { origin: url.origin, basePath: url.pathname.replace(/\/+$/, '') };
}

/** A call that cannot be written: a bug or a broken setting. Nothing was sent. */
export function invalidRequest(reason: string): OutboundError {
  return new OutboundError('invalid_request', { sent: false, cause: new Error(reason) });
}

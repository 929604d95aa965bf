import type * as Jose from 'jose';

/** What jose's functions throw. */
export type JoseErrors = typeof Jose.errors;

let loaded: Promise<typeof Jose> | null = null;

/** The library for tokens, when the first one comes: a gateway without tokens need not hold it and Web Crypto in memory. */
export function loadJose(): Promise<typeof Jose> {
  loaded ??= import('jose').catch((error: unknown) => {
    // What stood in the way may pass: the next one tries again.
    loaded = null;
    throw error;
  });
  return loaded;
}

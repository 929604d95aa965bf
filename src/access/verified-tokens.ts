import { hash } from 'node:crypto';

/** What is remembered at most. */
const TOKENS_MAX = 10_000;
/** Of all of them together: what is made of a token is about as long as the token. */
const CHARACTERS_MAX = 8_000_000;

/**
 * Remembers tokens that were verified, so that each costs one look at its signature. The name of one is the SHA-256 of
 * all of it: two tokens that begin or end alike are never taken for each other. Only what was verified is remembered, so
 * made-up tokens push nothing out; where there are too many, the oldest goes first.
 */
export interface VerifiedTokens<T> {
  /** What was made of the token; null: nothing, or it is not to be believed any more. */
  get(token: string, now: number): T | null;
  /** `untilMs`: believed until then, milliseconds since 1970. */
  put(token: string, value: T, untilMs: number): void;
}

export function createVerifiedTokens<T>({
  tokensMax = TOKENS_MAX,
  charactersMax = CHARACTERS_MAX,
} = {}): VerifiedTokens<T> {
  const known = new Map<string, { value: T; untilMs: number; characters: number }>();
  let characters = 0;

  function forget(name: string): void {
    characters -= known.get(name)?.characters ?? 0;
    known.delete(name);
  }

  return {
    get(token, now) {
      const name = nameOf(token);
      const entry = known.get(name);
      if (entry === undefined) return null;
      if (now < entry.untilMs) return entry.value;
      forget(name);
      return null;
    },
    put(token, value, untilMs) {
      const name = nameOf(token);
      forget(name);
      for (const oldest of known.keys()) {
        if (known.size < tokensMax && characters + token.length <= charactersMax) break;
        forget(oldest);
      }
      known.set(name, { value, untilMs, characters: token.length });
      characters += token.length;
    },
  };
}

function nameOf(token: string): string {
  return hash('sha256', token, 'base64url');
}

/**
 * Whether a signature is written in the one way that counts, so that no token is remembered twice: the last character of
 * base64url has bits that stand for nothing.
 */
export function hasOneSpelling(signature: string): boolean {
  return Buffer.from(signature, 'base64url').toString('base64url') === signature;
}

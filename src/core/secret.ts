import { inspect } from 'node:util';

const MASK = '[secret]';

/**
 * A value that must never reach a log, an error or a disk. It prints as `[secret]` everywhere;
 * `open` and `derive` are called where it goes out, and where it is looked for in what comes back.
 */
export class Secret {
  readonly #value: string;
  /** Those that lay in the same place before, newest first: what was sent with them may still be repeated. */
  readonly before: readonly Secret[];
  #derived: unknown;
  #deriveBy: ((secret: Secret) => unknown) | null = null;

  constructor(value: string, before: readonly Secret[] = []) {
    this.#value = value;
    this.before = before;
  }

  open(): string {
    return this.#value;
  }

  /**
   * What `make` makes of the secret, which is as secret as that, and forgotten with it. The last one is kept, so that what
   * is derived for every call is made once while a place hands out the same object.
   */
  derive<T>(make: (secret: Secret) => T): T {
    if (this.#deriveBy !== make) {
      this.#derived = make(this);
      this.#deriveBy = make;
    }
    return this.#derived as T;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/**
 * A stored credential that is still closed. It is bound to one origin (`https://api.example.com`,
 * scheme, host and port); whoever opens it for another origin has found a bug and must refuse.
 */
export interface SealedCredential {
  readonly id: string;
  readonly origin: string;
  /** Decrypts or reads the reference. Throws `GatewayError` `vault_unavailable` or `no_credential`. */
  open(): Promise<Secret>;
}

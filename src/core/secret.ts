import { inspect } from 'node:util';

const MASK = '[secret]';

/**
 * A value that must never reach a log, an error or a disk. It prints as `[secret]` everywhere;
 * `open` is called in one place, where the outgoing header is written.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  open(): string {
    return this.#value;
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

/** Values by provider and credential; a look-up joins no strings. */
export class ByCredential<V> {
  readonly #providers = new Map<string, Map<string, V>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(provider: string, credentialId: string): V | undefined {
    return this.#providers.get(provider)?.get(credentialId);
  }

  set(provider: string, credentialId: string, value: V): void {
    let credentials = this.#providers.get(provider);
    if (!credentials) {
      credentials = new Map();
      this.#providers.set(provider, credentials);
    }
    if (!credentials.has(credentialId)) this.#size++;
    credentials.set(credentialId, value);
  }

  delete(provider: string, credentialId: string): void {
    const credentials = this.#providers.get(provider);
    if (!credentials?.delete(credentialId)) return;
    this.#size--;
    if (credentials.size === 0) this.#providers.delete(provider);
  }

  /** Entries may be deleted on the way. */
  *entries(): Generator<{ provider: string; credentialId: string; value: V }> {
    for (const [provider, credentials] of this.#providers) {
      for (const [credentialId, value] of credentials) yield { provider, credentialId, value };
    }
  }
}

/** A credential as it lies in the store: the secret is sealed. */
export interface StoredCredential {
  id: string;
  provider: string;
  label: string | null;
  purpose: 'api' | 'webhook';
  /** Version, key fingerprint, nonce, ciphertext and tag in one piece; bound to id, provider and purpose. */
  sealed: Uint8Array;
  /** When it was added, milliseconds since 1970. */
  createdAt: number;
}

export interface CredentialStore {
  insert(credential: StoredCredential): Promise<void>;
  /** Newest first. */
  list(provider?: string): Promise<StoredCredential[]>;
  get(id: string): Promise<StoredCredential | null>;
  remove(id: string): Promise<boolean>;
  /** Fingerprints of the master keys that the database knows. */
  masterKeys(): Promise<string[]>;
  addMasterKey(fingerprint: string): Promise<void>;
}

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
  /** Its share of the starts; at least 1. */
  weight: number;
}

/** What a vendor made of a credential, stored or referenced. Times are milliseconds since 1970. */
export interface StoredCredentialState {
  provider: string;
  /** Of a stored credential, or a reference. */
  credentialId: string;
  state: 'set_aside' | 'resting';
  /** Why it is set aside; null while it rests. */
  code: string | null;
  at: number;
  /** Until when it rests; null while it is set aside. */
  until: number | null;
}

export interface CredentialStore {
  insert(credential: StoredCredential): Promise<void>;
  /** Newest first. */
  list(provider?: string): Promise<StoredCredential[]>;
  get(id: string): Promise<StoredCredential | null>;
  /** Removes its state too. */
  remove(id: string): Promise<boolean>;
  states(): Promise<StoredCredentialState[]>;
  /** Null: it may be used again. */
  putState(
    of: Pick<StoredCredentialState, 'provider' | 'credentialId'>,
    state: StoredCredentialState | null,
  ): Promise<void>;
  /** Fingerprints of the master keys that the database knows. */
  masterKeys(): Promise<string[]>;
  addMasterKey(fingerprint: string): Promise<void>;
}

/** A secret that signs the webhooks of a key's lineage, as it lies in the store. Times are milliseconds since 1970. */
export interface StoredWebhookSecret {
  id: string;
  lineage: string;
  sealed: Uint8Array;
  createdAt: number;
  /** Null: until it is replaced. */
  expiresAt: number | null;
}

export interface WebhookSecretStore {
  /** Newest first; what has expired may still be among them. */
  list(lineage: string): Promise<StoredWebhookSecret[]>;
  /** Inserts it. Its lineage's others expire at `oldExpiresAt` at the latest; those that have expired are deleted. */
  replace(secret: StoredWebhookSecret, oldExpiresAt: number): Promise<void>;
}

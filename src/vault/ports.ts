import type { SealedPlace } from './sealed-box.ts';

/** A credential as it lies in the store: the secret is sealed. */
export interface StoredCredential {
  id: string;
  provider: string;
  label: string | null;
  purpose: 'api' | 'webhook';
  /** A sealed box (`sealed-box.ts`), bound to `credentialPlace` of this row. */
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

/** Something was sealed under a master key that was retired meanwhile. Nothing was written: seal again with the newest. */
export class RetiredMasterKeyError extends Error {
  override readonly name = 'RetiredMasterKeyError';
}

export interface CredentialStore {
  /** Throws `RetiredMasterKeyError`. */
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
  /** Fingerprints of the master keys that the database knows and that are not retired, in the order in which they came. */
  masterKeys(): Promise<string[]>;
  /** One that is known stays as it is, retired or not. */
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
  /**
   * Inserts it. Its lineage's others expire at `oldExpiresAt` at the latest; those that have expired are deleted. False where
   * `validMax` are valid already: it is not inserted. Throws `RetiredMasterKeyError`, with nothing done.
   */
  replace(secret: StoredWebhookSecret, options: { oldExpiresAt: number; validMax: number }): Promise<boolean>;
}

/** Every column that holds something sealed. */
export type SealedColumn = 'credentials.sealed' | 'webhook_secrets.sealed' | 'signing_keys.sealed';

/** Something sealed, wherever it lies, with the place that it is bound to. */
export interface SealedRow {
  column: SealedColumn;
  place: SealedPlace;
  sealed: Uint8Array;
}

/** How many rows of a column are sealed so. */
export interface SealedCount {
  column: SealedColumn;
  /** Of the master key. */
  fingerprint: string;
  /** Of the sealed box. */
  version: number;
  rows: number;
}

/**
 * All that is sealed, for the rotation of the master key.
 * Invariant: under a retired master key there is nothing, and nothing comes: it is retired in one transaction with a look
 * at every column, and each write of something sealed looks in its own transaction whether its master key is retired.
 */
export interface SealedStore {
  /** What is not of version 2 under this master key, at most `limit`, in any order. */
  others(fingerprint: string, limit: number): Promise<SealedRow[]>;
  /**
   * In one commit; a row that changed meanwhile or is gone is passed over. How many were changed. Throws
   * `RetiredMasterKeyError`, with nothing done, where one of them is sealed under a retired master key now.
   */
  reseal(rows: readonly { row: SealedRow; sealed: Uint8Array }[]): Promise<number>;
  /** By a scan of every encrypted column. */
  countByMasterKey(): Promise<SealedCount[]>;
  /** False, with nothing done, while anything is sealed under it. Retiring twice keeps the first time. */
  retireMasterKey(fingerprint: string, at: number): Promise<boolean>;
}

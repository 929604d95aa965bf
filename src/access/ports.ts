import type { CallerLimits, Role } from '../core/caller.ts';

/** A client key as it lies in the store: only a hash of its secret. Times are milliseconds since 1970. */
export interface StoredKey {
  id: string;
  name: string;
  role: Role;
  /** Id of the first key of a line of rotated ones. */
  lineage: string;
  /** SHA-256 of the secret part (256 bits of chance, so no salt and no stretching). */
  secretHash: Uint8Array;
  allowedWorkflows: string[];
  /** `provider` or `provider/vendor-id`. */
  allowedProviders: string[];
  limits: CallerLimits;
  /** Browser origins (`https://app.example.com`); empty: none. */
  origins: string[];
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  /** Roughly: it is written down now and then. Null: never. */
  lastUsedAt: number | null;
}

export interface KeyStore {
  insert(key: StoredKey): Promise<void>;
  /** One read by primary key, cheap enough for every request, so a revocation counts at once. */
  find(id: string): Promise<StoredKey | null>;
  /** Newest first. */
  list(): Promise<StoredKey[]>;
  /**
   * Both in one commit: `successor` is there, and the key `id` expires at `expiresAt` at the latest. False, with nothing done,
   * where there is no such key, or it is revoked, or has a successor that is not.
   */
  replace(id: string, successor: StoredKey, expiresAt: number): Promise<boolean>;
  /** False where there is no such key; revoking twice keeps the first time. */
  revoke(id: string, at: number): Promise<boolean>;
  /** Writes down when keys were last used; an earlier time than the one that is there, and an unknown id, change nothing. */
  used(ids: readonly { id: string; at: number }[]): Promise<void>;
  /** Whether a key that is valid at `now` names this browser origin. */
  servesOrigin(origin: string, now: number): Promise<boolean>;
}

/** A secret that signs tokens, as it lies in the store. Times are milliseconds since 1970. */
export interface StoredSigningKey {
  id: string;
  sealed: Uint8Array;
  createdAt: number;
  /** No token made with it is valid from then on. */
  expiresAt: number;
}

export interface SigningKeyStore {
  /** Newest first; what has expired may still be among them. */
  list(): Promise<StoredSigningKey[]>;
  /** Throws `RetiredMasterKeyError` (vault) where it is sealed under a retired master key. */
  insert(key: StoredSigningKey): Promise<void>;
}

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
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
}

export interface KeyStore {
  insert(key: StoredKey): Promise<void>;
  /** One read by primary key, cheap enough for every request, so a revocation counts at once. */
  find(id: string): Promise<StoredKey | null>;
  list(): Promise<StoredKey[]>;
  /** Both in one commit: `successor` is there, and the key `id` expires at `expiresAt` at the latest. False, with nothing done, where there is none or it is revoked. */
  replace(id: string, successor: StoredKey, expiresAt: number): Promise<boolean>;
  /** False where there is no such key; revoking twice keeps the first time. */
  revoke(id: string, at: number): Promise<boolean>;
}

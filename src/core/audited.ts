import type { NewAuditEntry } from './audit.ts';

/** What somebody is about to do: who, what, to what. `details` holds allowed fields alone, never a secret or a hash of one. */
export type Deed = Pick<NewAuditEntry, 'actor' | 'action' | 'target' | 'details'>;

/**
 * Does something that the audit log tells of. The entry is on disk before the work begins; where it cannot be written,
 * nothing is done and `store_unavailable` is thrown. Work that throws leaves a second entry, of outcome `failed`.
 */
export type Audited = <T>(deed: Deed, work: () => Promise<T>) => Promise<T>;

import type { Secret } from '../../core/secret.ts';
import type { SecretReference } from '../../core/secret-reference.ts';

/**
 * One place where secrets lie that Rungate does not keep itself. Another one (a cloud's secrets manager, say) is a form in
 * `core/secret-reference.ts` and an implementation of this.
 */
export interface SecretSource<Reference extends SecretReference> {
  /** Whether the reference may name something: from memory alone, as every start asks it. */
  isSet(reference: Reference): boolean;
  /** Null where it names nothing. Throws `GatewayError` `vault_unavailable` where that cannot be told. */
  read(reference: Reference): Promise<Secret | null>;
  /** The next read looks there, whatever is remembered. Null: what it names never changes while the process lives. */
  expire: ((reference: Reference) => void) | null;
}

export type ReferenceIn<In extends SecretReference['in']> = Extract<SecretReference, { in: In }>;

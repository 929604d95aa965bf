import type { CredentialState } from './credential-state.ts';

/** What a vendor says to a credential. */
export interface CredentialVerdict {
  credential: string;
  origin: string;
  /** `unclear`: the vendor answered, and its answer says nothing of the credential. `unreadable`: it cannot be opened. */
  verdict: 'good' | 'refused' | 'unreachable' | 'unclear' | 'unreadable';
  /** The vendor's HTTP status; null where no answer came. */
  status: number | null;
  /** What the verdict made of its state. */
  state: CredentialState;
  /** Why it cannot be opened; null: it can. */
  fault: string | null;
}

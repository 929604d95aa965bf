import type { StoredCredentialState } from './ports.ts';

/** Whether a credential may be used. Times are milliseconds since 1970. */
export type CredentialState =
  | { is: 'usable' }
  /** The vendor refused it, until it is changed, verified, or accepted by the vendor. */
  | { is: 'set_aside'; code: 'upstream_auth_failed' | 'upstream_payment_required'; at: number }
  /** The vendor limits it. */
  | { is: 'resting'; until: number };

/** What is known of one credential. */
export interface StateEntry {
  readonly provider: string;
  /** Of a stored credential, or a reference. */
  readonly credentialId: string;
  state: CredentialState;
  /** Since when, milliseconds since 1970. */
  at: number;
}

export const USABLE: CredentialState = Object.freeze({ is: 'usable' });

/**
 * Whether a vendor's answer changes what is known. A limit does not say that a refused credential is good. What was under
 * way when a rest began may still be accepted, or limited for a shorter time, and does not end it.
 */
export function isNews(
  { state: known, at }: Pick<StateEntry, 'state' | 'at'>,
  told: CredentialState,
  nowMs: number,
): boolean {
  switch (known.is) {
    case 'usable':
      return told.is === 'set_aside' || (told.is === 'resting' && told.until > nowMs);
    case 'set_aside':
      return told.is === 'usable' || (told.is === 'set_aside' && told.code !== known.code);
    case 'resting':
      // One that was begun while the clock was ahead would come back with its time, if nobody ended it.
      if (restIsOver({ at, until: known.until }, nowMs)) return told.is !== 'usable' || at > nowMs;
      return told.is === 'set_aside' || (told.is === 'resting' && told.until > known.until);
  }
}

export function entryFromRow(row: StoredCredentialState): StateEntry {
  const { provider, credentialId, at } = row;
  return { provider, credentialId, state: stateFromRow(row), at };
}

function stateFromRow({ state, code, at, until }: StoredCredentialState): CredentialState {
  if (state === 'resting') return { is: 'resting', until: until ?? at };
  const known = code === 'upstream_payment_required' ? code : 'upstream_auth_failed';
  return { is: 'set_aside', code: known, at };
}

/** Null: what is usable has no row. */
export function rowFromEntry({ provider, credentialId, state, at }: StateEntry): StoredCredentialState | null {
  switch (state.is) {
    case 'usable':
      return null;
    case 'set_aside':
      return { provider, credentialId, state: 'set_aside', code: state.code, at, until: null };
    case 'resting':
      return { provider, credentialId, state: 'resting', code: null, at, until: state.until };
  }
}

/** A rest is a day at most, whatever the vendor says. */
export const REST_MS_MAX = 86_400_000;
/** Clocks are corrected by a little all the time. */
const CLOCK_SLACK_MS = 2_000;

/** Whether a credential that was limited may be used again. A rest that was begun while the clock was ahead counts for nothing. */
export function restIsOver({ at, until }: { at: number; until: number }, nowMs: number): boolean {
  return until <= nowMs || until > nowMs + REST_MS_MAX || at > nowMs + CLOCK_SLACK_MS;
}

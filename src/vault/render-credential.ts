import { isoTime } from '../core/iso-time.ts';
import type { CredentialState } from './credential-state.ts';
import type { CredentialVerdict } from './credential-verdict.ts';
import type { CredentialInfo } from './credentials.ts';
import type { ListedReference } from './manage-credentials.ts';

/**
 * A credential as operators see it, at the command line and at the admin API: never its secret, sealed or not. One for
 * webhooks has neither weight nor state.
 */
export function renderCredential(
  { id, provider, label, purpose, weight, createdAt }: CredentialInfo,
  state: CredentialState,
): object {
  const created = { created_at: isoTime(createdAt) };
  const shown = { id, object: 'credential', provider, label, purpose };
  if (purpose === 'webhook') return { ...shown, weight: null, state: null, ...created };
  return { ...shown, weight, ...renderState(state), ...created };
}

/** A reference in the configuration, as operators see it. */
export function renderReference({ reference, provider, weight, state, isSet }: ListedReference): object {
  return { id: reference, object: 'credential_reference', provider, weight, is_set: isSet, ...renderState(state) };
}

/** What a vendor said to a credential, as operators see it. */
export function renderVerdict({ credential, origin, verdict, status, state }: CredentialVerdict): object {
  return { object: 'credential_verdict', credential, origin, verdict, status, ...renderState(state) };
}

function renderState(state: CredentialState): object {
  return {
    state: state.is,
    state_code: state.is === 'set_aside' ? state.code : null,
    state_since: state.is === 'set_aside' ? isoTime(state.at) : null,
    state_until: state.is === 'resting' ? isoTime(state.until) : null,
  };
}

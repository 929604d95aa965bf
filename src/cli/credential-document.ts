import type { CredentialState } from '../vault/credential-state.ts';
import type { CredentialInfo } from '../vault/credentials.ts';
import { formatTime } from './table.ts';

/** A credential as `--json` shows it: never its secret, sealed or not. One for webhooks has neither weight nor state. */
export function credentialDocument(
  { id, provider, label, purpose, weight, createdAt }: CredentialInfo,
  state: CredentialState,
): object {
  const created = { created_at: formatTime(createdAt) };
  const shown = { id, object: 'credential', provider, label, purpose };
  if (purpose === 'webhook') return { ...shown, weight: null, state: null, ...created };
  return { ...shown, weight, ...stateFields(state), ...created };
}

/** A credential's state in a document. */
export function stateFields(state: CredentialState): object {
  return {
    state: state.is,
    state_code: state.is === 'set_aside' ? state.code : null,
    state_since: state.is === 'set_aside' ? formatTime(state.at) : null,
    state_until: state.is === 'resting' ? formatTime(state.until) : null,
  };
}

/** A credential's state in a table. */
export function stateText(state: CredentialState): string {
  switch (state.is) {
    case 'usable':
      return 'usable';
    case 'set_aside':
      return `set aside: ${state.code} since ${formatTime(state.at)}`;
    case 'resting':
      return `resting until ${formatTime(state.until)}`;
  }
}

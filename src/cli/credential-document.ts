import type { CredentialInfo } from '../vault/credentials.ts';
import { formatTime } from './table.ts';

/** A credential as `--json` shows it: never its secret, sealed or not. */
export function credentialDocument({ id, provider, label, purpose, createdAt }: CredentialInfo): object {
  return { id, object: 'credential', provider, label, purpose, created_at: formatTime(createdAt) };
}

import type { Secret } from '../core/secret.ts';

/** What people are shown of a signing secret that was made with a key. */
export function webhookSecretLines(secret: Secret | null): string[] {
  return secret === null ? [] : ['', 'The messages to its webhooks are signed with:', '', secret.open()];
}

import type { Secret } from '../core/secret.ts';

/** What `--json` shows of a signing secret that was made with a key. */
export function webhookSecretFields(secret: Secret | null): { webhook_secret?: string } {
  return secret === null ? {} : { webhook_secret: secret.open() };
}

/** The same for people. */
export function webhookSecretLines(secret: Secret | null): string[] {
  return secret === null ? [] : ['', 'The messages to its webhooks are signed with:', '', secret.open()];
}

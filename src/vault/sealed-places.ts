import type { SealedPlace } from './sealed-box.ts';

/*
 * What each kind of sealed secret is bound to. The one who seals, the one who opens and the one who re-wraps all the rows
 * of a column have to agree, and no released one may ever change: what was sealed for it would open no more.
 */

/** A provider's credential. */
export function credentialPlace({
  id,
  provider,
  purpose,
}: Pick<SealedPlace, 'id' | 'provider' | 'purpose'>): SealedPlace {
  return { id, provider, purpose, column: 'sealed' };
}

/** A secret that signs webhooks; `provider` is the key lineage that it belongs to. */
export function webhookSecretPlace({ id, lineage }: { id: string; lineage: string }): SealedPlace {
  return { id, provider: lineage, purpose: 'webhook', column: 'webhook_secrets.sealed' };
}

/** A secret that signs tokens; it belongs to no provider. */
export function signingKeyPlace({ id }: { id: string }): SealedPlace {
  return { id, provider: '', purpose: 'token', column: 'signing_keys.sealed' };
}

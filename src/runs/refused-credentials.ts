import type { ErrorCode } from '../core/error-catalogue.ts';
import type { Run } from './model.ts';

/** A refusal that another credential may not meet, or one that cannot be opened now. */
export const CREDENTIAL_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream_auth_failed',
  'upstream_payment_required',
  'upstream_forbidden',
  'upstream_rate_limited',
  'upstream_quota_exhausted',
  'no_credential',
  'vault_unavailable',
]);

/** Credentials that this run's provider has refused this run with, by one of these codes. */
export function refusedCredentials({ attempts, provider }: Run, codes = CREDENTIAL_CODES): Set<string> {
  const refused = attempts.filter(({ provider: at, errorCode }) => {
    return at === provider && errorCode !== null && codes.has(errorCode);
  });
  return new Set(refused.flatMap(({ credentialId }) => credentialId ?? []));
}

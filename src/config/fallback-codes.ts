import type { ErrorCode } from '../core/error-catalogue.ts';

/**
 * Where a fallback says nothing else. Each can come with proof that nothing began, and may be over at another
 * provider. Naming one is no proof: an answer that leaves open whether the run began never leads on.
 */
export const FALLBACK_CODES_DEFAULT = [
  'upstream_unreachable',
  'upstream_unavailable',
  'upstream_rate_limited',
  'upstream_quota_exhausted',
  'upstream_auth_failed',
  'upstream_payment_required',
  'credentials_exhausted',
  'no_credential',
  'vault_unavailable',
] as const satisfies readonly ErrorCode[];

/** What `when` may name: these two besides, which are more often a mistake to be seen than a fault to be passed by. */
export const FALLBACK_CODES = [
  ...FALLBACK_CODES_DEFAULT,
  'upstream_forbidden',
  'upstream_workflow_not_found',
] as const satisfies readonly ErrorCode[];

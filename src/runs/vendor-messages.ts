import { ERROR_CATALOGUE, type ErrorCode } from '../core/error-catalogue.ts';
import type { UpstreamFault } from '../core/errors.ts';

interface Said {
  title: string;
  upstream: UpstreamFault | null;
  retryAfterS: number | null;
}

const MESSAGES: Partial<Record<ErrorCode, (said: Said) => string>> = {
  upstream_rate_limited: ({ title, retryAfterS }) =>
    `${title} is limiting this account${retryAfterS === null ? '' : `; retry in ${retryAfterS} s`}.`,
  upstream_quota_exhausted: (said) => `The quota of this account at ${said.title} is used up${reason(said)}`,
  upstream_auth_failed: (said) => `${said.title} refused our credential; the caller’s key is fine${reason(said)}`,
  upstream_payment_required: (said) => `The account at ${said.title} has no credit left${reason(said)}`,
  upstream_forbidden: (said) => `${said.title} says that our credential may not use this${reason(said)}`,
  upstream_workflow_not_found: (said) => `${said.title} does not know this workflow${reason(said)}`,
  upstream_conflict: (said) => `${said.title} reports a conflict${reason(said)}`,
  upstream_rejected_input: (said) => `${said.title} refused the request${reason(said)}`,
  upstream_error: (said) => `${said.title} failed while it was asked${httpStatus(said)}${reason(said)}`,
  upstream_unavailable: (said) => `${said.title} says that it is unavailable${httpStatus(said)}${reason(said)}`,
  upstream_invalid_response: (said) =>
    `The answer of ${said.title}${httpStatus(said)} is not what its documents describe.`,
  upstream_unreachable: ({ title }) => `No connection to ${title}; nothing was sent.`,
  upstream_timeout: ({ title }) => `${title} did not answer in time; whether the run began is not known.`,
  outcome_unknown: ({ title }) =>
    `The connection to ${title} broke after the request was sent; whether the run began is not known.`,
  upstream_run_not_found: ({ title }) => `${title} no longer knows this run.`,
};

/** A sentence for a person: which vendor, what happened, and the vendor's own words where it gave any. */
export function messageFor(code: ErrorCode, said: Said): string {
  return MESSAGES[code]?.(said) ?? ERROR_CATALOGUE[code].message;
}

function reason({ upstream }: Said): string {
  return upstream?.message ? `: ${upstream.message}` : '.';
}

function httpStatus({ upstream }: Said): string {
  return upstream?.status ? ` (HTTP ${upstream.status})` : '';
}

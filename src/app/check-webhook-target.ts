import { isIP } from 'node:net';
import { createAddressGuard } from '../upstream/guard.ts';

const ALLOWED_BY = '; the operator allows such with RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK';

/** Says why a message may not go to an address that a caller has named; null: nothing speaks against it so far. */
export type CheckTarget = (url: string) => string | null;

/**
 * Checks what an address says of itself, with the rules of the guard that looks again, after DNS, whenever a message is sent.
 * It is told early so that a caller learns of it, not for safety.
 */
export function createTargetCheck({ allowPrivateNetwork }: { allowPrivateNetwork: boolean }): CheckTarget {
  // The sandbox's vendors pass the guard for their own calls, and for no caller's.
  const guard = createAddressGuard({ allowPrivateNetwork, allowedLoopback: new Set() });
  return (text) => {
    const url = new URL(text);
    const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '');
    const isLocalName = host === 'localhost' || host.endsWith('.localhost');
    if (isLocalName) return allowPrivateNetwork ? null : `the name is this machine’s own${ALLOWED_BY}`;
    if (isIP(host) === 0) return null;
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
    const refusal = guard.refusal(host, port, false);
    return refusal === null ? null : `the address is not public (${refusal.replaceAll('_', ' ')})${ALLOWED_BY}`;
  };
}

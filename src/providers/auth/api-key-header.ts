import type { Auth } from '../../core/outbound.ts';

/** The credential alone, in a header of the vendor's own name. */
export function apiKeyHeader(name: string): Auth {
  return { type: 'header', name };
}

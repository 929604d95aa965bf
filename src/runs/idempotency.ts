import { scopeOf, type Caller } from '../core/caller.ts';
import { GatewayError } from '../core/errors.ts';
import { fingerprintJson, type Json } from '../core/json.ts';
import type { Claimed, IdempotencyClaim } from './ports.ts';
import type { RequestContext, StartedRun } from './run-service.ts';

/** Of a vendor that this request has not asked. */
export const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** What a request claims with its key; null where it has no key. `describe` is called only where it has one: it names the operation, the run it is about, and the body. */
export function claimOf(
  caller: Caller,
  { idempotencyKey }: RequestContext,
  describe: () => Json,
): IdempotencyClaim | null {
  if (idempotencyKey === null) return null;
  return {
    lineage: caller.lineage,
    subject: scopeOf(caller),
    key: idempotencyKey,
    fingerprint: fingerprintJson(describe()),
  };
}

/** The run of an earlier request with the same key. Throws `idempotency_key_reused`, or `not_found` where its record is gone. */
export function replay(claimed: Exclude<Claimed, { kind: 'created' }>): StartedRun {
  if (claimed.kind === 'reused') throw new GatewayError('idempotency_key_reused', { param: 'Idempotency-Key' });
  if (!claimed.run) {
    const message = 'This idempotency key belongs to a run whose record was deleted.';
    throw new GatewayError('not_found', { runId: claimed.runId, message });
  }
  return {
    run: claimed.run,
    replayed: true,
    vendorHeaders: () => NO_HEADERS,
    upstreamMs: () => 0,
    refusal: () => null,
  };
}

import type { AuditEntry } from './audit.ts';
import { isoTime } from './iso-time.ts';
import type { JsonObject } from './json.ts';

/** An audit entry as operators see it, at the command line and at the admin API. */
export function renderAuditEntry({
  seq,
  at,
  actor,
  action,
  target,
  outcome,
  details,
  ...chain
}: AuditEntry): JsonObject {
  const { type, id, from, requestId } = actor;
  return {
    seq,
    object: 'audit_entry',
    at: isoTime(at),
    actor: { type, id, from, request_id: requestId },
    action,
    target: { type: target.type, id: target.id },
    outcome,
    details,
    previous: chain.previous,
    hash: chain.hash,
  };
}

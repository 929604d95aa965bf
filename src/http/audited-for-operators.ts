import type { FastifyRequest } from 'fastify';
import type { Audited, Deed } from '../core/audited.ts';
import type { RunId } from '../core/ids.ts';
import { actorOf } from './actor-of.ts';
import { callerOf } from './app.ts';
import type { AccessPolicy } from './runs-parts.ts';

/**
 * Does something to a run. Whoever may do it to anybody's is an operator, and audited ahead; what callers do with their
 * own runs is what the API is for.
 */
export async function auditedForOperators<T>(
  request: FastifyRequest,
  { action, id }: { action: Deed['action']; id: RunId },
  { policy, audited }: { policy: Pick<AccessPolicy, 'seesEveryone'>; audited: Audited },
  work: () => Promise<T>,
): Promise<T> {
  if (!policy.seesEveryone(callerOf(request))) return work();
  return audited({ actor: actorOf(request), action, target: { type: 'run', id }, details: {} }, work);
}

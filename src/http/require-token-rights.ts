import { requireIssuer, type NewToken } from '../access/tokens.ts';
import type { Caller } from '../core/caller.ts';
import { GatewayError } from '../core/errors.ts';
import type { Registry } from '../providers/registry.ts';

/**
 * Throws what `requireIssuer` throws, first, since nobody learns of workflows that are not theirs; `unknown_workflow` where
 * there is none of this name; and `invalid_request` for an origin that nobody serves, as no browser could use the token there.
 */
export function requireTokenRights(caller: Caller, { workflows, origin }: NewToken, registry: Registry): void {
  requireIssuer(caller, { workflows });
  const unknown = workflows.findIndex((name) => registry.workflow(name) === null);
  if (unknown !== -1) throw new GatewayError('unknown_workflow', { param: `workflows.${unknown}` });
  if (origin === null || caller.origins.includes(origin) || registry.access.origins.has(origin)) return;
  throw new GatewayError('invalid_request', {
    param: 'origin',
    message:
      '`origin`: neither this key nor the configuration names it, so no browser could read an answer there. Make a key with `keys create --origin`, or add it to `access.origins` in rungate.yaml.',
  });
}

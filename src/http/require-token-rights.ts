import type { NewToken } from '../access/tokens.ts';
import type { Caller } from '../core/caller.ts';
import { GatewayError } from '../core/errors.ts';
import type { Registry } from '../providers/registry.ts';
import type { AccessPolicy } from './runs-parts.ts';

/**
 * Throws `forbidden` where the caller is a token, or a workflow is not its own; `unknown_workflow` where there is none of
 * this name; and `invalid_request` for an origin that nobody serves, as no browser could use the token there.
 */
export function requireTokenRights(
  caller: Caller,
  { workflows, origin }: NewToken,
  { registry, policy }: { registry: Registry; policy: Pick<AccessPolicy, 'allowsWorkflow'> },
): void {
  if (caller.token !== null) {
    throw new GatewayError('forbidden', {
      message: 'A token cannot make tokens; have the server that holds its key do so.',
    });
  }
  for (const [i, name] of workflows.entries()) {
    const param = `workflows.${i}`;
    if (!policy.allowsWorkflow(caller, name)) {
      const message = `\`${param}\`: this key may not run this workflow, and so neither may its tokens.`;
      throw new GatewayError('forbidden', { param, message });
    }
    if (registry.workflow(name) === null) throw new GatewayError('unknown_workflow', { param });
  }
  if (origin === null || caller.origins.includes(origin) || registry.access.origins.has(origin)) return;
  throw new GatewayError('invalid_request', {
    param: 'origin',
    message:
      '`origin`: neither this key nor the configuration names it, so no browser could read an answer there. Make a key with `keys create --origin`, or add it to `access.origins` in rungate.yaml.',
  });
}

import type { Caller } from '../core/caller.ts';
import { GatewayError, wrongParam } from '../core/errors.ts';
import { NAME } from '../core/name.ts';

/** Of both allow-lists of a key together. */
export const ENTRIES_MAX = 100;
const VENDOR_ID = /^[\x21-\x7e]{1,200}$/;

type Allowances = Pick<Caller, 'allowedWorkflows' | 'allowedProviders'>;

/** What a caller wants to start: with `provider`, `workflow` is the vendor's own id, without, a registered name. */
export interface StartTarget {
  workflow: string;
  provider?: string;
}

/** Throws `forbidden` where the caller's role or allow-lists do not cover the target. */
export function mayStart(caller: Caller, { workflow, provider }: StartTarget): void {
  if (caller.role !== 'runs') throw forbidden(`A key of role ${caller.role} cannot start runs; use one of role runs.`);
  if (provider === undefined) {
    if (allowsWorkflow(caller, workflow)) return;
    throw forbidden(
      caller.token === null
        ? 'This key may not run this workflow: its allow-list does not name it.'
        : 'This token may not run this workflow: it was made for others.',
    );
  }
  if (caller.token !== null) throw forbidden('A token runs registered workflows only; leave `provider` out.');
  if (allowsEverything(caller)) return;
  // An entry is cut at its first slash, so no name with one may pass for an entry.
  const wanted = provider.includes('/') ? [] : [provider, `${provider}/${workflow}`];
  if (wanted.some((entry) => caller.allowedProviders.includes(entry))) return;
  throw forbidden('This key may not run this workflow of this provider: its allow-list names neither.');
}

/** Whether a registered workflow belongs into what this caller is shown. */
export function allowsWorkflow(caller: Allowances, name: string): boolean {
  return allowsEverything(caller) || caller.allowedWorkflows.includes(name);
}

/** Whether a provider, or one workflow of it, belongs into what this caller is shown. */
export function allowsProvider(caller: Allowances & Pick<Caller, 'token'>, name: string): boolean {
  if (caller.token !== null) return false;
  return (
    allowsEverything(caller) || caller.allowedProviders.some((entry) => entry === name || entry.startsWith(`${name}/`))
  );
}

function allowsEverything({ allowedWorkflows, allowedProviders }: Allowances): boolean {
  return allowedWorkflows.length === 0 && allowedProviders.length === 0;
}

/** Checks the form of a new key's allow-lists. Throws `invalid_request` naming the entry. */
export function checkAllowLists({ allowedWorkflows, allowedProviders }: Allowances): void {
  if (allowedWorkflows.length + allowedProviders.length > ENTRIES_MAX) {
    throw wrongParam('allowed_workflows', `A key's allow-lists have at most ${ENTRIES_MAX} entries.`);
  }
  for (const entry of allowedWorkflows) {
    if (!NAME.test(entry))
      throw wrongParam('allowed_workflows', 'An allowed workflow is the name of a registered one.');
  }
  for (const entry of allowedProviders) {
    const slash = entry.indexOf('/');
    const named = NAME.test(slash === -1 ? entry : entry.slice(0, slash));
    if (!named || (slash !== -1 && !VENDOR_ID.test(entry.slice(slash + 1)))) {
      throw wrongParam(
        'allowed_providers',
        "An allowed provider is its name, or its name, `/` and the vendor's workflow id.",
      );
    }
  }
}

function forbidden(message: string): GatewayError {
  return new GatewayError('forbidden', { message });
}

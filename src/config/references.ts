import { Secret } from '../core/secret.ts';
import { parseReference } from '../core/secret-reference.ts';
import { variable, type Environment } from './environment.ts';
import { VAULT_SETTINGS } from './vault-settings.ts';

/** What is wrong with a credential's reference, or null. Never quotes it: people paste the secret itself. */
export function referenceFault(reference: string): string | null {
  const parsed = parseReference(reference);
  return parsed.ok ? null : parsed.fault;
}

/**
 * What a server of this environment would lack for a reference that is well formed; null: nothing that can be known
 * without looking into a file or asking a server.
 */
export function unsetFault(reference: string, environment: Environment): string | null {
  const parsed = parseReference(reference);
  if (!parsed.ok) return parsed.fault;
  const { reference: found } = parsed;
  if (found.in === 'env' && variable(environment, found.name) === undefined) {
    return `${reference}: set this variable in the server’s environment`;
  }
  const { variable: address } = VAULT_SETTINGS.address;
  if (found.in === 'vault' && variable(environment, address) === undefined) {
    return `vault: references need ${address}, and how to log in there, in the server’s environment`;
  }
  return null;
}

/** The secret that `env:NAME` names; null where the variable is unset or empty, or the reference is of another form. */
export function readEnvironmentReference(reference: string, environment: Environment): Secret | null {
  const parsed = parseReference(reference);
  if (!parsed.ok || parsed.reference.in !== 'env') return null;
  const value = variable(environment, parsed.reference.name);
  return value === undefined ? null : new Secret(value);
}

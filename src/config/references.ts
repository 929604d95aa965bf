import { resolve } from 'node:path';
import { parseReference } from '../core/secret-reference.ts';
import { variable, type Environment } from './environment.ts';
import { isOwnVariable, OWN_SECRET, ownSecretFiles } from './own-secrets.ts';
import { VAULT_SETTINGS } from './vault-settings.ts';

/** What is wrong with a credential's reference, or null. Never quotes it: people paste the secret itself. */
export function referenceFault(reference: string): string | null {
  const parsed = parseReference(reference);
  if (!parsed.ok) return parsed.fault;
  const { reference: found } = parsed;
  return found.in === 'env' && isOwnVariable(found.name) ? NOT_OUR_OWN : null;
}

const NOT_OUR_OWN = `expected a reference to a vendor’s secret: this ${OWN_SECRET}`;

/**
 * What a server of this environment would refuse or lack for a reference that is well formed; null: nothing that can be known
 * without looking into a file or asking a server.
 */
export function unsetFault(reference: string, environment: Environment): string | null {
  const parsed = parseReference(reference);
  if (!parsed.ok) return parsed.fault;
  const { reference: found } = parsed;
  if (found.in === 'env' && variable(environment, found.name) === undefined) {
    return `${reference}: set this variable in the server’s environment`;
  }
  if (found.in === 'file' && ownSecretFiles(environment).includes(resolve(found.path))) return NOT_OUR_OWN;
  const { variable: address } = VAULT_SETTINGS.address;
  if (found.in === 'vault' && variable(environment, address) === undefined) {
    return `vault: references need ${address}, and how to log in there, in the server’s environment`;
  }
  return null;
}

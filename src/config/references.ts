import { Secret } from '../core/secret.ts';
import { variable, type Environment } from './environment.ts';

const ENVIRONMENT_REFERENCE = /^env:([A-Za-z_][A-Za-z0-9_]{0,199})$/;

/** What is wrong with a credential's reference, or null. Never quotes it: people paste the secret itself. */
export function referenceFault(reference: string): string | null {
  if (ENVIRONMENT_REFERENCE.test(reference)) return null;
  if (reference.startsWith('file:')) return 'file: references are not supported by this version; use env:NAME';
  if (reference.startsWith('vault:')) {
    return 'vault: references are not supported by this version; leave credentials out to use the vault’s';
  }
  return 'expected a reference to a secret, such as env:AI_TUTOR_KEY, and never the secret itself';
}

/** The secret that `env:NAME` names; null where the variable is unset or empty, or the reference is of no known form. */
export function readReference(reference: string, environment: Environment): Secret | null {
  const name = ENVIRONMENT_REFERENCE.exec(reference)?.[1];
  const value = name === undefined ? undefined : variable(environment, name);
  return value === undefined ? null : new Secret(value);
}

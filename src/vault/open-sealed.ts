import { GatewayError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';
import type { MasterKeys } from './master-key.ts';
import { BrokenSealError, fingerprintOf, unseal, type SealedPlace } from './sealed-box.ts';

/**
 * Opens what was sealed for one place, with whichever master key it was sealed. `what` names it for people.
 * Throws `GatewayError` `vault_unavailable`.
 */
export async function openSealed(
  sealed: Uint8Array,
  place: SealedPlace,
  { masterKeys, what }: { masterKeys: MasterKeys; what: string },
): Promise<Secret> {
  try {
    const fingerprint = fingerprintOf(sealed);
    const key = await masterKeys.find(fingerprint);
    if (key === null) throw cannotOpen(what, `its master key ${fingerprint} is not there`);
    return new Secret(unseal(sealed, place, key));
  } catch (cause) {
    if (cause instanceof BrokenSealError) throw cannotOpen(what, cause.message, cause);
    throw cause;
  }
}

/** The error of something in the vault that cannot be used. */
export function cannotOpen(what: string, reason: string, cause?: unknown): GatewayError {
  const message = `The ${what} cannot be opened: ${reason}.`;
  return new GatewayError('vault_unavailable', { message, ...(cause === undefined ? {} : { cause }) });
}

import type { VaultParts } from '../../src/vault/credentials.ts';

/** For tests that no vendor's word on a credential matters to. */
export const usableStates: VaultParts['states'] = {
  of: () => ({ is: 'usable' }),
  mark: () => undefined,
  forget: () => undefined,
};

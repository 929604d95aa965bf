import type { References } from '../../src/vault/references/references.ts';

/** For vaults whose credentials are all stored. */
export const NO_REFERENCES: References = {
  isSet: () => false,
  read: async () => null,
  hasChanged: async () => false,
};

import type { SealedPlace } from '../../vault/sealed-box.ts';
import { credentialPlace, signingKeyPlace, webhookSecretPlace } from '../../vault/sealed-places.ts';
import type { SealedColumn } from '../../vault/ports.ts';
import type { Row } from './operations.ts';

/**
 * A column that holds sealed boxes. A box begins with its version (1 byte) and the fingerprint of its master key (8);
 * that much of it is read here.
 */
export interface EncryptedColumn {
  name: SealedColumn;
  /** Not version 2 under one master key (its fingerprint, how many at most): the row's primary key and more, last the box. */
  others: string;
  /** Of the box's first nine bytes, in hex, how often each is there. */
  count: string;
  /** Whether anything is under one master key. */
  under: string;
  /** Takes the new box, the row's primary key, and the box that has to be there. */
  reseal: string;
  placeOf: (row: Row) => SealedPlace;
  /** The row's primary key, as `reseal` takes it. */
  keyOf: (place: SealedPlace) => Row;
}

/**
 * Every one there is: what rotates the master key goes by this list alone. A test walks the schema, and fails for a column
 * of bytes that is not here.
 */
export const ENCRYPTED_COLUMNS: readonly EncryptedColumn[] = [
  {
    name: 'credentials.sealed',
    others: `SELECT id, provider, purpose, sealed FROM credentials
      WHERE lower(hex(substr(sealed, 1, 9))) <> '02' || ? LIMIT ?`,
    count: 'SELECT lower(hex(substr(sealed, 1, 9))), count(*) FROM credentials GROUP BY 1',
    under: 'SELECT 1 FROM credentials WHERE lower(hex(substr(sealed, 2, 8))) = ? LIMIT 1',
    reseal: 'UPDATE credentials SET sealed = ? WHERE id = ? AND sealed = ?',
    placeOf: ([id, provider, purpose]) =>
      credentialPlace({ id: String(id), provider: String(provider), purpose: String(purpose) }),
    keyOf: ({ id }) => [id],
  },
  {
    name: 'webhook_secrets.sealed',
    others: `SELECT lineage, id, sealed FROM webhook_secrets
      WHERE lower(hex(substr(sealed, 1, 9))) <> '02' || ? LIMIT ?`,
    count: 'SELECT lower(hex(substr(sealed, 1, 9))), count(*) FROM webhook_secrets GROUP BY 1',
    under: 'SELECT 1 FROM webhook_secrets WHERE lower(hex(substr(sealed, 2, 8))) = ? LIMIT 1',
    reseal: 'UPDATE webhook_secrets SET sealed = ? WHERE lineage = ? AND id = ? AND sealed = ?',
    placeOf: ([lineage, id]) => webhookSecretPlace({ lineage: String(lineage), id: String(id) }),
    keyOf: ({ provider, id }) => [provider, id],
  },
  {
    name: 'signing_keys.sealed',
    others: `SELECT id, sealed FROM signing_keys WHERE lower(hex(substr(sealed, 1, 9))) <> '02' || ? LIMIT ?`,
    count: 'SELECT lower(hex(substr(sealed, 1, 9))), count(*) FROM signing_keys GROUP BY 1',
    under: 'SELECT 1 FROM signing_keys WHERE lower(hex(substr(sealed, 2, 8))) = ? LIMIT 1',
    reseal: 'UPDATE signing_keys SET sealed = ? WHERE id = ? AND sealed = ?',
    placeOf: ([id]) => signingKeyPlace({ id: String(id) }),
    keyOf: ({ id }) => [id],
  },
];

/** The one of that name. */
export function encryptedColumn(name: SealedColumn): EncryptedColumn {
  const column = ENCRYPTED_COLUMNS.find((one) => one.name === name);
  if (column === undefined) throw new Error(`there is no encrypted column ${name}`);
  return column;
}

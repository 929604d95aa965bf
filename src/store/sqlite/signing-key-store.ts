import type { SigningKeyStore, StoredSigningKey } from '../../access/ports.ts';
import { RetiredMasterKeyError } from '../../vault/ports.ts';
import type { Row } from './operations.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** The sealed secrets that sign tokens, in SQLite. */
export function createSigningKeyStore({ writer, reader }: { writer: Writer; reader: Reader }): SigningKeyStore {
  return {
    async list() {
      return reader.read((statements) => statements.signingKeys.all()).map(signingKeyFromRow);
    },
    async insert({ id, sealed, createdAt, expiresAt }) {
      const result = await writer.write('insertSigningKey', [id, sealed, createdAt, expiresAt]);
      if (result === 'retired') throw new RetiredMasterKeyError();
    },
  };
}

function signingKeyFromRow(row: Row): StoredSigningKey {
  return {
    id: row[0] as string,
    sealed: row[1] as Uint8Array,
    createdAt: row[2] as number,
    expiresAt: row[3] as number,
  };
}

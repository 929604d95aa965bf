import type { Clock } from '../../core/clock.ts';
import type { CredentialStore, StoredCredential } from '../../vault/ports.ts';
import type { Row } from './operations.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** Sealed credentials and the fingerprints of the master keys, in SQLite. */
export function createCredentialStore({
  writer,
  reader,
  clock,
}: {
  writer: Writer;
  reader: Reader;
  clock: Clock;
}): CredentialStore {
  return {
    async insert({ id, provider, label, purpose, sealed, createdAt }) {
      await writer.write('run', 'insertCredential', [id, provider, label, purpose, sealed, createdAt]);
    },
    async list(provider) {
      return reader.read((statements) => statements.credentials.all(provider ?? null)).map(credentialFromRow);
    },
    async get(id) {
      const row = reader.read((statements) => statements.credential.get(id));
      return row === null ? null : credentialFromRow(row);
    },
    async remove(id) {
      return (await writer.write('run', 'removeCredential', [id])) > 0;
    },
    async masterKeys() {
      return reader.read((statements) => statements.masterKeys.all()).map((row) => row[0] as string);
    },
    async addMasterKey(fingerprint) {
      await writer.write('run', 'addMasterKey', [fingerprint, clock.now()]);
    },
  };
}

function credentialFromRow(row: Row): StoredCredential {
  return {
    id: row[0] as string,
    provider: row[1] as string,
    label: row[2] as string | null,
    purpose: row[3] as StoredCredential['purpose'],
    sealed: row[4] as Uint8Array,
    createdAt: row[5] as number,
  };
}

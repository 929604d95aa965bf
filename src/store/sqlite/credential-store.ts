import type { Clock } from '../../core/clock.ts';
import {
  RetiredMasterKeyError,
  type CredentialStore,
  type StoredCredential,
  type StoredCredentialState,
} from '../../vault/ports.ts';
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
    async insert({ id, provider, label, purpose, sealed, createdAt, weight }) {
      const row = [id, provider, label, purpose, sealed, createdAt, weight];
      if ((await writer.write('insertCredential', row)) === 'retired') throw new RetiredMasterKeyError();
    },
    async list(provider) {
      return reader.read((statements) => statements.credentials.all(provider ?? null)).map(credentialFromRow);
    },
    async get(id) {
      const row = reader.read((statements) => statements.credential.get(id));
      return row === null ? null : credentialFromRow(row);
    },
    remove: (id) => writer.write('removeCredential', id),
    async states() {
      return reader.read((statements) => statements.credentialStates.all()).map(stateFromRow);
    },
    async putState({ provider, credentialId }, state) {
      if (state === null) await writer.write('run', 'clearCredentialState', [credentialId, provider]);
      else {
        const { state: name, code, at, until } = state;
        await writer.write('run', 'putCredentialState', [credentialId, provider, name, code, at, until]);
      }
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
    weight: row[6] as number,
  };
}

function stateFromRow(row: Row): StoredCredentialState {
  return {
    provider: row[0] as string,
    credentialId: row[1] as string,
    state: row[2] as StoredCredentialState['state'],
    code: row[3] as string | null,
    at: row[4] as number,
    until: row[5] as number | null,
  };
}

import type { KeyStore, SigningKeyStore, StoredKey, StoredSigningKey } from '../../src/access/ports.ts';
import type {
  CredentialStore,
  StoredCredential,
  StoredCredentialState,
  StoredWebhookSecret,
  WebhookSecretStore,
} from '../../src/vault/ports.ts';

/** A credential store that lives in a map, for tests of what is above it. */
export function memoryCredentialStore(fingerprints: string[] = []): CredentialStore & {
  rows: Map<string, StoredCredential>;
  /** By credential and provider. */
  known: Map<string, StoredCredentialState>;
} {
  const rows = new Map<string, StoredCredential>();
  const known = new Map<string, StoredCredentialState>();
  return {
    rows,
    known,
    insert: async (credential) => void rows.set(credential.id, credential),
    list: async (provider) =>
      [...rows.values()].filter((row) => provider === undefined || row.provider === provider).toReversed(),
    get: async (id) => rows.get(id) ?? null,
    async remove(id) {
      for (const [key, { credentialId }] of known) if (credentialId === id) known.delete(key);
      return rows.delete(id);
    },
    states: async () => [...known.values()],
    async putState({ provider, credentialId }, state) {
      const key = JSON.stringify([credentialId, provider]);
      if (state === null) known.delete(key);
      else known.set(key, { ...state, provider, credentialId });
    },
    masterKeys: async () => [...fingerprints],
    addMasterKey: async (fingerprint) => void fingerprints.push(fingerprint),
  };
}

/** A key store that lives in a map. */
export function memoryKeyStore(): KeyStore {
  const rows = new Map<string, StoredKey>();
  return {
    insert: async (key) => void rows.set(key.id, key),
    find: async (id) => rows.get(id) ?? null,
    list: async () => [...rows.values()].toReversed(),
    async replace(id, successor, expiresAt) {
      const row = rows.get(id);
      if (row === undefined || row.revokedAt !== null) return false;
      const line = [...rows.values()].filter(({ lineage }) => lineage === row.lineage);
      if (line.slice(line.indexOf(row) + 1).some(({ revokedAt }) => revokedAt === null)) return false;
      rows.set(id, { ...row, expiresAt: Math.min(row.expiresAt ?? expiresAt, expiresAt) });
      rows.set(successor.id, successor);
      return true;
    },
    async revoke(id, at) {
      const row = rows.get(id);
      if (row) rows.set(id, { ...row, revokedAt: row.revokedAt ?? at });
      return row !== undefined;
    },
    async used(ids) {
      for (const { id, at } of ids) {
        const row = rows.get(id);
        if (row) rows.set(id, { ...row, lastUsedAt: Math.max(row.lastUsedAt ?? at, at) });
      }
    },
    servesOrigin: async (origin, now) =>
      [...rows.values()].some(
        ({ origins, revokedAt, expiresAt }) =>
          origins.includes(origin) && revokedAt === null && (expiresAt === null || now < expiresAt),
      ),
  };
}

/** A store of signing secrets that lives in a list. */
export function memoryWebhookSecretStore(clock: {
  now(): number;
}): WebhookSecretStore & { rows: StoredWebhookSecret[] } {
  const rows: StoredWebhookSecret[] = [];
  return {
    rows,
    list: async (lineage) => rows.filter((row) => row.lineage === lineage),
    async replace(secret, { oldExpiresAt, validMax }) {
      const isValid = ({ expiresAt }: StoredWebhookSecret) => expiresAt === null || expiresAt > clock.now();
      if (rows.filter((row) => row.lineage === secret.lineage && isValid(row)).length >= validMax) return false;
      const kept = rows.map((row) => {
        const expiresAt = Math.min(row.expiresAt ?? oldExpiresAt, oldExpiresAt);
        return row.lineage === secret.lineage ? { ...row, expiresAt } : row;
      });
      rows.splice(0, rows.length, secret, ...kept.filter(isValid));
      return true;
    },
  };
}

/** A store of token-signing keys that lives in a list. */
export function memorySigningKeyStore(): SigningKeyStore & { rows: StoredSigningKey[] } {
  const rows: StoredSigningKey[] = [];
  return {
    rows,
    list: async () => [...rows],
    insert: async (key) => void rows.unshift(key),
  };
}

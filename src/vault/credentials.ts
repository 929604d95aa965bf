import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ids } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import { Secret, type SealedCredential } from '../core/secret.ts';
import type { MasterKeys } from './master-key.ts';
import { cannotOpen, openSealed } from './open-sealed.ts';
import type { CredentialStore, StoredCredential } from './ports.ts';
import { seal, type SealedPlace } from './sealed-box.ts';

const SECRET_LENGTH_MAX = 8192;
const LABEL_LENGTH_MAX = 100;
/** Every start of a provider's run reads its list. */
const CREDENTIALS_PER_PROVIDER_MAX = 100;
/** What a header value can carry unchanged. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u;
const STORED_ID = /^cred_[0-9a-z]{26}$/;

export type CredentialPurpose = StoredCredential['purpose'];

/** A stored credential as people see it. */
export type CredentialInfo = Omit<StoredCredential, 'sealed'>;

export interface NewCredential {
  provider: string;
  label: string | null;
  purpose: CredentialPurpose;
  secret: Secret;
}

/** What the vault needs to know of a provider. */
export interface CredentialedProvider {
  name: string;
  baseUrl: string;
  /** References such as `env:AI_TUTOR_KEY`, in order; empty: the vault's own, by the provider's name. */
  credentials: readonly string[];
}

/** What a run remembers of its credential. */
export interface PinnedCredential {
  /** Of a stored credential, or a reference. */
  id: string;
  provider: string;
  baseUrl: string;
}

/** Keeps vendors' secrets and hands them out closed, each bound to one origin. */
export interface Vault {
  /** Seals and stores a secret. Throws `invalid_request` where it cannot be one, never showing it. */
  add(credential: NewCredential): Promise<CredentialInfo>;
  /** Newest first. */
  list(provider?: string): Promise<CredentialInfo[]>;
  /** False where there is no such credential. */
  remove(id: string): Promise<boolean>;
  /**
   * The credential for a provider's next run: the first reference that names something, or, where the
   * configuration has none, the newest stored one of purpose `api`. Null where there is none.
   */
  pick(provider: CredentialedProvider): Promise<SealedCredential | null>;
  /** The credential that a run is pinned to, whatever the configuration says now. Null where it is gone. */
  reopen(pinned: PinnedCredential): Promise<SealedCredential | null>;
}

export interface VaultParts {
  store: Omit<CredentialStore, 'masterKeys' | 'addMasterKey'>;
  masterKeys: MasterKeys;
  ids: Pick<Ids, 'credential'>;
  clock: Pick<Clock, 'now'>;
  random: Random;
  /** Reads `env:NAME` and the like; null where it names nothing. */
  readReference: (reference: string) => Promise<Secret | null>;
}

/** Puts a vault together. No plaintext is kept: each `open()` decrypts. */
export function createVault({ store, masterKeys, ids, clock, random, readReference }: VaultParts): Vault {
  function referenced(reference: string, baseUrl: string): SealedCredential {
    return {
      id: reference,
      origin: new URL(baseUrl).origin,
      async open() {
        const secret = await readReference(reference);
        if (secret === null) throw new GatewayError('no_credential', { message: `${reference} is not set.` });
        const { usable, fault } = readSecret(secret);
        if (usable === null) throw cannotOpen(`credential ${reference}`, fault);
        return usable;
      },
    };
  }
  function stored(row: StoredCredential, baseUrl: string): SealedCredential {
    const open = () => openSealed(row.sealed, placeOf(row), { masterKeys, what: `credential ${row.id}` });
    return { id: row.id, origin: new URL(baseUrl).origin, open };
  }
  return {
    async add({ provider, label, purpose, secret }) {
      checkLabel(label);
      const { usable, fault } = readSecret(secret);
      if (usable === null) throw wrong('secret', `The secret cannot be used: ${fault}.`);
      if ((await store.list(provider)).length >= CREDENTIALS_PER_PROVIDER_MAX) throw tooMany(provider);
      const row = { id: ids.credential(), provider, label, purpose, createdAt: clock.now() };
      const sealed = seal(usable.open(), placeOf(row), { key: await masterKeys.newest(), random });
      await store.insert({ ...row, sealed });
      return row;
    },
    list: async (provider) => (await store.list(provider)).map(withoutSecret),
    remove: (id) => store.remove(id),
    async pick({ name, baseUrl, credentials }) {
      for (const reference of credentials) {
        if ((await readReference(reference)) !== null) return referenced(reference, baseUrl);
      }
      if (credentials.length > 0) return null;
      const row = (await store.list(name)).find(({ purpose }) => purpose === 'api');
      return row === undefined ? null : stored(row, baseUrl);
    },
    async reopen({ id, provider, baseUrl }) {
      if (!STORED_ID.test(id)) return (await readReference(id)) === null ? null : referenced(id, baseUrl);
      const row = await store.get(id);
      return row?.provider === provider ? stored(row, baseUrl) : null;
    },
  };
}

/** Where the secret of a stored credential belongs. */
export function placeOf({ id, provider, purpose }: Omit<CredentialInfo, 'label' | 'createdAt'>): SealedPlace {
  return { id, provider, purpose, column: 'sealed' };
}

function withoutSecret({ id, provider, label, purpose, createdAt }: StoredCredential): CredentialInfo {
  return { id, provider, label, purpose, createdAt };
}

/** Says whether a header can carry a secret. One line break at the end is the shell's, not the secret's. */
function readSecret(secret: Secret): { usable: Secret; fault: null } | { usable: null; fault: string } {
  const text = secret.open().replace(/\r?\n$/, '');
  if (text === '') return { usable: null, fault: 'it is empty' };
  if (text.length > SECRET_LENGTH_MAX) {
    return { usable: null, fault: `it is longer than ${SECRET_LENGTH_MAX} characters` };
  }
  if (!VISIBLE_ASCII.test(text)) {
    return { usable: null, fault: 'it has a space, a line break or another character that no header can carry' };
  }
  return { usable: new Secret(text), fault: null };
}

function checkLabel(label: string | null): void {
  if (label === null || (label !== '' && label.length <= LABEL_LENGTH_MAX && PRINTABLE.test(label))) return;
  throw wrong('label', `A label has 1 to ${LABEL_LENGTH_MAX} printable characters.`);
}

function tooMany(provider: string): GatewayError {
  return wrong('provider', `${provider} has ${CREDENTIALS_PER_PROVIDER_MAX} credentials already; remove one first.`);
}

function wrong(param: string, message: string): GatewayError {
  return new GatewayError('invalid_request', { message, param });
}

import type { Clock } from '../core/clock.ts';
import { type GatewayError, wrongParam } from '../core/errors.ts';
import type { Ids } from '../core/ids.ts';
import { isPrintable } from '../core/printable.ts';
import type { Random } from '../core/random.ts';
import type { Secret, SealedCredential } from '../core/secret.ts';
import { WEIGHT_MAX } from '../core/weight.ts';
import { createClosedCredentials, readSecret, type ClosedCredentialsParts } from './closed-credentials.ts';
import { isStoredId } from './credential-id.ts';
import type { CredentialState } from './credential-state.ts';
import type { CredentialStates } from './credential-states.ts';
import type { CredentialStore, StoredCredential } from './ports.ts';
import { sealAndStore } from './seal-and-store.ts';
import { credentialPlace } from './sealed-places.ts';

export const LABEL_LENGTH_MAX = 100;
/** Every start of a provider's run reads its list. */
const CREDENTIALS_PER_PROVIDER_MAX = 100;
/** Remembered; many reloads may bring many. */
const ORIGINS_MAX = 1000;

export type CredentialPurpose = StoredCredential['purpose'];

/** A stored credential as people see it. */
export type CredentialInfo = Omit<StoredCredential, 'sealed'>;

export interface NewCredential {
  provider: string;
  label: string | null;
  purpose: CredentialPurpose;
  secret: Secret;
  /** Its share of the starts, 1 to 1000; undefined: 1. */
  weight?: number;
  /** One that was made for it; undefined: a new one is. */
  id?: string;
}

/** What the vault needs to know of a provider. */
export interface CredentialedProvider {
  name: string;
  baseUrl: string;
  /** References such as `env:AI_TUTOR_KEY`, in order; empty: the vault's own, by the provider's name. */
  credentials: readonly { reference: string; weight: number }[];
}

/** A credential that new runs may use. */
export interface PoolEntry {
  credential: SealedCredential;
  weight: number;
  state: CredentialState;
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
   * Every credential that a provider's next run may use, with its state: the references that name something, or, where the
   * configuration has none, the stored ones of purpose `api`, newest first. Empty where there is none.
   */
  pool(provider: CredentialedProvider): Promise<readonly PoolEntry[]>;
  /**
   * The credential that a run is pinned to, even where new runs get another one now. Null where it is gone, and where the
   * configuration never sent it there, or does not any more.
   */
  reopen(pinned: PinnedCredential): Promise<SealedCredential | null>;
  /** Counts what a vendor made of a credential. */
  mark: CredentialStates['mark'];
}

export interface VaultParts extends ClosedCredentialsParts {
  store: Pick<CredentialStore, 'insert' | 'list' | 'get' | 'remove'>;
  states: Pick<CredentialStates, 'of' | 'mark' | 'forget'>;
  ids: Pick<Ids, 'credential'>;
  clock: Pick<Clock, 'now'>;
  random: Random;
}

/** Puts a vault together. No plaintext is kept: each `open()` decrypts. */
export function createVault(parts: VaultParts): Vault {
  const { store, states, masterKeys, ids, clock, random, references, mayUse } = parts;
  const closed = createClosedCredentials(parts);
  const originOf = rememberingOrigins();

  /** A secret that its vendor refused may have been replaced where it lies: then it is tried again. */
  async function lookAgain(reference: string): Promise<void> {
    if (await references.hasChanged(reference)) states.forget(reference);
  }

  return {
    async add({ provider, label, purpose, secret, weight = 1, id = ids.credential() }) {
      checkLabel(label);
      checkWeight(weight);
      const { usable, fault } = readSecret(secret);
      if (usable === null) throw wrongParam('secret', `The secret cannot be used: ${fault}.`);
      if ((await store.list(provider)).length >= CREDENTIALS_PER_PROVIDER_MAX) throw tooMany(provider);
      const row = { id, provider, label, purpose, createdAt: clock.now(), weight };
      const insert = (sealed: Uint8Array) => store.insert({ ...row, sealed });
      await sealAndStore(usable, credentialPlace(row), { masterKeys, random, store: insert });
      return row;
    },
    list: async (provider) => (await store.list(provider)).map(withoutSecret),
    async remove(id) {
      const removed = await store.remove(id);
      if (removed) states.forget(id);
      return removed;
    },
    async pool({ name, baseUrl, credentials }) {
      const origin = originOf(baseUrl);
      const entry = (credential: SealedCredential, weight: number): PoolEntry => {
        return { credential, weight, state: states.of(name, credential.id) };
      };
      if (credentials.length === 0) {
        const rows = (await store.list(name)).filter(({ purpose }) => purpose === 'api');
        return rows.map((row) => entry(closed.stored(row, origin), row.weight));
      }
      const entries: PoolEntry[] = [];
      for (const { reference, weight } of credentials) {
        if (!references.isSet(reference)) continue;
        const pooled = entry(closed.referenced(reference, origin), weight);
        if (pooled.state.is === 'set_aside') void lookAgain(reference);
        entries.push(pooled);
      }
      return entries;
    },
    async reopen({ id, provider, baseUrl }) {
      const origin = URL.canParse(baseUrl) ? originOf(baseUrl) : null;
      if (origin === null) return null;
      const reference = isStoredId(id) ? null : id;
      const use = { provider, origin, reference };
      if (!mayUse(use)) return null;
      if (reference !== null) {
        return references.isSet(reference) ? closed.stillUsed(closed.referenced(reference, origin), use) : null;
      }
      const row = await store.get(id);
      return row?.provider === provider ? closed.stored(row, origin) : null;
    },
    mark(provider, credentialId, state) {
      states.mark(provider, credentialId, state);
      if (state.is === 'set_aside' && !isStoredId(credentialId)) void lookAgain(credentialId);
    },
  };
}

/** Every start asks for the origin of one of a few base URLs. */
function rememberingOrigins(): (baseUrl: string) => string {
  const origins = new Map<string, string>();
  return (baseUrl) => {
    const known = origins.get(baseUrl);
    if (known !== undefined) return known;
    const { origin } = new URL(baseUrl);
    if (origins.size >= ORIGINS_MAX) origins.clear();
    origins.set(baseUrl, origin);
    return origin;
  };
}

function withoutSecret({ id, provider, label, purpose, createdAt, weight }: StoredCredential): CredentialInfo {
  return { id, provider, label, purpose, createdAt, weight };
}

function checkLabel(label: string | null): void {
  if (label === null || (label !== '' && label.length <= LABEL_LENGTH_MAX && isPrintable(label))) return;
  throw wrongParam('label', `A label has 1 to ${LABEL_LENGTH_MAX} printable characters.`);
}

function checkWeight(weight: number): void {
  if (Number.isInteger(weight) && weight >= 1 && weight <= WEIGHT_MAX) return;
  throw wrongParam('weight', `A weight is a whole number from 1 to ${WEIGHT_MAX}.`);
}

function tooMany(provider: string): GatewayError {
  return wrongParam(
    'provider',
    `${provider} has ${CREDENTIALS_PER_PROVIDER_MAX} credentials already; remove one first.`,
  );
}

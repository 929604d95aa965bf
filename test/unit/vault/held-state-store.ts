import type { CredentialStore, StoredCredential, StoredCredentialState } from '../../../src/vault/ports.ts';

type StateStore = Pick<CredentialStore, 'list' | 'states' | 'putState'>;

/** Rows of states in memory, whose reads and writes a test can hold up, count and fail. */
export interface HeldStateStore extends StateStore {
  rows: Map<string, StoredCredentialState>;
  credentials: Pick<StoredCredential, 'id' | 'provider'>[];
  /** Every write that was asked for. */
  writes: (StoredCredentialState | null)[];
  /** The most that were under way at once. */
  atOnceMax: number;
  /** Null: reads and writes are done. */
  fault: Error | null;
  /** Holds up writes (or the answers to reads) that begin from now on, until the returned function is called. */
  holdWrites(): () => void;
  holdReads(): () => void;
  /** As another process would write it. */
  write(row: StoredCredentialState): void;
  erase(provider: string, credentialId: string): void;
}

export function heldStateStore(): HeldStateStore {
  let writesGoOn: Promise<void> = Promise.resolve();
  let readsGoOn: Promise<void> = Promise.resolve();
  let underWay = 0;
  const keyOf = ({ provider, credentialId }: Pick<StoredCredentialState, 'provider' | 'credentialId'>) =>
    `${provider} ${credentialId}`;
  const store: HeldStateStore = {
    rows: new Map(),
    credentials: [],
    writes: [],
    atOnceMax: 0,
    fault: null,
    holdWrites() {
      const { promise, resolve } = Promise.withResolvers<void>();
      writesGoOn = promise;
      return resolve;
    },
    holdReads() {
      const { promise, resolve } = Promise.withResolvers<void>();
      readsGoOn = promise;
      return resolve;
    },
    write: (row) => void store.rows.set(keyOf(row), row),
    erase: (provider, credentialId) => void store.rows.delete(keyOf({ provider, credentialId })),
    list: async () => store.credentials as StoredCredential[],
    async states() {
      if (store.fault !== null) throw store.fault;
      const rows = [...store.rows.values()];
      await readsGoOn;
      return rows;
    },
    async putState(of, state) {
      store.writes.push(state);
      store.atOnceMax = Math.max(store.atOnceMax, ++underWay);
      try {
        await writesGoOn;
        if (store.fault !== null) throw store.fault;
        if (state === null) store.rows.delete(keyOf(of));
        else store.rows.set(keyOf(of), state);
      } finally {
        underWay -= 1;
      }
    },
  };
  return store;
}

import type { Log } from '../core/log.ts';
import { rowFromEntry, type StateEntry } from './credential-state.ts';
import type { CredentialStore } from './ports.ts';

/** Writes states behind: one write at a time for a credential, and its last state last. */
export interface StateWrites {
  /** Writes the entry as it is now, and as it may become meanwhile. Resolves to why that failed; null: it did not. */
  save(entry: StateEntry): Promise<unknown>;
  /** Whether what the store has may be older than the entry. */
  isPending(entry: StateEntry): boolean;
  /** Tries once more what failed. */
  retry(): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

interface Write {
  /** The entry changed since its row was made. */
  isDirty: boolean;
  done: Promise<unknown>;
}

export function createStateWrites(parts: {
  store: Pick<CredentialStore, 'putState'>;
  log: Pick<Log, 'warn'>;
  onBegin: (entry: StateEntry) => void;
  onSaved: (entry: StateEntry) => void;
}): StateWrites {
  const { store, log, onBegin, onSaved } = parts;
  const underWay = new Map<StateEntry, Write>();
  const failed = new Set<StateEntry>();

  async function write(entry: StateEntry, own: Write): Promise<unknown> {
    try {
      while (own.isDirty) {
        own.isDirty = false;
        await store.putState(entry, rowFromEntry(entry));
      }
      failed.delete(entry);
      onSaved(entry);
      return null;
    } catch (err) {
      // Once: where the store is away, every mark tries again.
      if (!failed.has(entry)) {
        const { provider, credentialId } = entry;
        log.warn({ err, provider, credential: credentialId }, 'the state of a credential could not be written');
      }
      failed.add(entry);
      return err;
    } finally {
      underWay.delete(entry);
    }
  }

  function save(entry: StateEntry): Promise<unknown> {
    onBegin(entry);
    const earlier = underWay.get(entry);
    if (earlier !== undefined) {
      earlier.isDirty = true;
      return earlier.done;
    }
    const own: Write = { isDirty: true, done: Promise.resolve(null) };
    underWay.set(entry, own);
    own.done = write(entry, own);
    return own.done;
  }

  return {
    save,
    isPending: (entry) => underWay.has(entry) || failed.has(entry),
    retry() {
      for (const entry of failed) void save(entry);
    },
    async idle() {
      while (underWay.size > 0) await Promise.all(Array.from(underWay.values(), ({ done }) => done));
    },
  };
}

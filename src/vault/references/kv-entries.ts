import type { ReferenceIn } from './secret-source.ts';
import type { ServerFault } from './vault-http.ts';
import type { KvSecret } from './vault-server.ts';

const ENTRIES_MAX = 1_000;
const CHARACTERS_MAX = 4 * 1024 * 1024;

/** One path of the server, with all of its fields. */
export interface KvEntry {
  readonly mount: string;
  readonly path: string;
  /** What was read last; null: nothing was yet. */
  known: KvSecret | null;
  /** When the read that brought it began, on the monotonic clock. */
  readAt: number;
  /** Why the last read failed; null: it did not. */
  fault: ServerFault | null;
  failures: number;
  /** No read before this. */
  retryAt: number;
  /** Whatever is known is to be read again before it is used. */
  isExpired: boolean;
  /** When what was read last was found to lack a field, and told so. */
  lackToldFor: number;
  reading: Promise<void> | null;
}

/** What is known of a server's paths. Bounded in number and in size; the one used longest ago makes room. */
export interface KvEntries {
  /** A new one where the path is not known yet. */
  of(reference: Pick<ReferenceIn<'vault'>, 'mount' | 'path'>): KvEntry;
  /** Puts in what was read. */
  learn(entry: KvEntry, secret: KvSecret): void;
}

export function createKvEntries(): KvEntries {
  /** The order is that of use. */
  const entries = new Map<string, KvEntry>();
  let characters = 0;

  /** An entry that is being read is forgotten like others: whoever waits for it has it. */
  function makeRoom(): void {
    for (const [key, { known }] of entries) {
      if (entries.size <= 1 || (entries.size <= ENTRIES_MAX && characters <= CHARACTERS_MAX)) return;
      entries.delete(key);
      characters -= sizeOf(known);
    }
  }

  return {
    of({ mount, path }) {
      const key = keyOf({ mount, path });
      const known = entries.get(key);
      if (known !== undefined) {
        entries.delete(key);
        entries.set(key, known);
        return known;
      }
      const entry = unread(mount, path);
      entries.set(key, entry);
      makeRoom();
      return entry;
    },
    learn(entry, secret) {
      if (entries.get(keyOf(entry)) === entry) characters += sizeOf(secret) - sizeOf(entry.known);
      entry.known = secret;
      makeRoom();
    },
  };
}

function unread(mount: string, path: string): KvEntry {
  return {
    mount,
    path,
    known: null,
    readAt: -Infinity,
    fault: null,
    failures: 0,
    retryAt: -Infinity,
    isExpired: false,
    lackToldFor: -Infinity,
    reading: null,
  };
}

function keyOf({ mount, path }: Pick<KvEntry, 'mount' | 'path'>): string {
  return `${mount}\n${path}`;
}

function sizeOf(secret: KvSecret | null): number {
  return secret?.is === 'found' ? secret.characters : 0;
}

import type { Clock } from '../core/clock.ts';
import { isoTime } from '../core/iso-time.ts';
import type { Log } from '../core/log.ts';
import { isStoredId } from './credential-id.ts';
import { createStateWrites } from './credential-state-writes.ts';
import { entryFromRow, isNews, USABLE, type CredentialState, type StateEntry, restIsOver } from './credential-state.ts';
import type { CredentialStore, StoredCredentialState } from './ports.ts';

/*
 * What vendors made of our credentials: in memory, because every start asks, and in the store, because it outlives the
 * process and operators look at it. A mark that changes something counts at once and is written right away; a write that
 * fails is tried again with the next mark of any credential. `refresh` takes over what other processes wrote, except for
 * what is not written yet, or was being written while the store was read: that is newer.
 *
 * Invariants: no entry means usable, and so says the store. An entry that is usable is one whose row is still to be deleted.
 */

/** How often a refresh reads again because something was written meanwhile. */
const ROUNDS_MAX = 5;
/** Of a credential that nothing is known of. */
const UNTOUCHED = { state: USABLE, at: 0 } as const;

/** The states of all credentials, stored or referenced. */
export interface CredentialStates {
  /** By the clock of this moment: a rest ends by itself. */
  of(provider: string, credentialId: string): CredentialState;
  /** Counts what a vendor answered, as far as it changes anything, and writes it soon; a write that fails is logged. */
  mark(provider: string, credentialId: string, state: CredentialState): void;
  /** Writes a state, whatever was known. Throws `store_unavailable`; in this process it counts all the same. */
  put(provider: string, credentialId: string, state: CredentialState): Promise<void>;
  /** A credential was removed. */
  forget(credentialId: string): void;
  /** Takes over what other processes wrote. Never rejects: a failure is logged, and what is known stays. */
  refresh(): Promise<void>;
  /** Tries once more to write what could not be, and resolves when nothing is under way. */
  idle(): Promise<void>;
}

export interface CredentialStatesParts {
  store: Pick<CredentialStore, 'list' | 'states' | 'putState'>;
  clock: Pick<Clock, 'now'>;
  log: Pick<Log, 'warn'>;
}

/**
 * Reads the states. Where a server opens them, those that nothing vouches for any more are deleted: of references, whose
 * values may have changed, of credentials that are gone, and rests that are over. Throws `store_unavailable`.
 */
export async function openCredentialStates(
  parts: CredentialStatesParts,
  role: 'serve' | 'command',
): Promise<CredentialStates> {
  const { store, clock } = parts;
  const rows = await store.states();
  const states = createCredentialStates(parts, rows);
  if (role === 'command' || rows.length === 0) return states;
  const providers = new Map((await store.list()).map(({ id, provider }) => [id, provider]));
  const isStale = ({ provider, credentialId, at, until }: StoredCredentialState) =>
    !isStoredId(credentialId) ||
    providers.get(credentialId) !== provider ||
    (until !== null && restIsOver({ at, until }, clock.now()));
  const deleted = rows.filter(isStale).map(({ provider, credentialId }) => states.put(provider, credentialId, USABLE));
  // A failure is logged, and tried again: a row too many must not keep a server from its start.
  await Promise.allSettled(deleted);
  return states;
}

function createCredentialStates(
  { store, clock, log }: CredentialStatesParts,
  rows: readonly StoredCredentialState[],
): CredentialStates {
  const entries = new Map(rows.map((row) => [keyOf(row), entryFromRow(row)]));
  /** Of what was being written since a refresh began to read. */
  const touched = new Set<string>();
  const writes = createStateWrites({
    store,
    log,
    onBegin: (entry) => void touched.add(keyOf(entry)),
    onSaved: (entry) => void (entry.state.is === 'usable' && entries.delete(keyOf(entry))),
  });
  const refresh = oneAtATime(readAgain, (err) => log.warn({ err }, 'the states of credentials could not be read'));

  function change(provider: string, credentialId: string, state: CredentialState): Promise<unknown> {
    const at = state.is === 'set_aside' ? state.at : clock.now();
    const key = keyOf({ provider, credentialId });
    const entry = Object.assign(entries.get(key) ?? { provider, credentialId }, { state, at });
    entries.set(key, entry);
    return writes.save(entry);
  }

  async function readAgain(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      touched.clear();
      await writes.idle();
      takeOver(await store.states());
      if (touched.size === 0) return;
    }
  }

  function takeOver(read: readonly StoredCredentialState[]): void {
    const isOurs = (key: string, entry: StateEntry | undefined) =>
      touched.has(key) || (entry !== undefined && writes.isPending(entry));
    const byKey = new Map(read.map((row) => [keyOf(row), row]));
    for (const [key, entry] of entries) if (!byKey.has(key) && !isOurs(key, entry)) entries.delete(key);
    for (const [key, row] of byKey) if (!isOurs(key, entries.get(key))) entries.set(key, entryFromRow(row));
  }

  return {
    of(provider, credentialId) {
      const { state, at } = entries.get(keyOf({ provider, credentialId })) ?? UNTOUCHED;
      return state.is === 'resting' && restIsOver({ at, until: state.until }, clock.now()) ? USABLE : state;
    },
    mark(provider, credentialId, state) {
      writes.retry();
      const known = entries.get(keyOf({ provider, credentialId })) ?? UNTOUCHED;
      if (!isNews(known, state, clock.now())) return;
      if (known.state.is === 'set_aside' || state.is !== 'usable')
        tell(log, { provider, credential: credentialId }, state);
      void change(provider, credentialId, state);
    },
    async put(provider, credentialId, state) {
      const fault = await change(provider, credentialId, state);
      if (fault !== null) throw fault;
    },
    forget(credentialId) {
      for (const entry of entries.values()) {
        if (entry.credentialId === credentialId) void change(entry.provider, credentialId, USABLE);
      }
    },
    refresh,
    async idle() {
      writes.retry();
      await writes.idle();
    },
  };
}

/** A rest ends by itself, and a vendor that limits us may do so every few seconds. */
function tell(log: Pick<Log, 'warn'>, fields: { provider: string; credential: string }, state: CredentialState): void {
  switch (state.is) {
    case 'set_aside':
      return log.warn({ ...fields, code: state.code }, 'a credential was refused by its vendor and is set aside');
    case 'usable':
      return log.warn(fields, 'a credential that was set aside is taken by its vendor again');
    case 'resting':
      return log.warn({ ...fields, until: isoTime(state.until) }, 'a credential is limited by its vendor and rests');
  }
}

/** Providers' names have no space. */
function keyOf({ provider, credentialId }: { provider: string; credentialId: string }): string {
  return `${provider} ${credentialId}`;
}

/** While one call is under way, further ones are another one after it, together. The first of several failures is told. */
function oneAtATime(work: () => Promise<void>, onFailure: (err: unknown) => void): () => Promise<void> {
  let underWay: Promise<void> | null = null;
  let isWanted = false;
  let hasFailed = false;
  async function run(): Promise<void> {
    while (isWanted) {
      isWanted = false;
      try {
        await work();
        hasFailed = false;
      } catch (err) {
        if (!hasFailed) onFailure(err);
        hasFailed = true;
      }
    }
    underWay = null;
  }
  return () => {
    isWanted = true;
    underWay ??= run();
    return underWay;
  };
}

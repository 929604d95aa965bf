import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import { unusable, type MasterKey } from './master-key.ts';
import {
  RetiredMasterKeyError,
  type CredentialStore,
  type SealedColumn,
  type SealedCount,
  type SealedRow,
  type SealedStore,
} from './ports.ts';
import { makeKey, type RotationSource, type WrittenKey } from './rotation-source.ts';
import { BrokenSealError, fingerprintOf, rewrap } from './sealed-box.ts';

/*
 * A rotation puts a new master key before the others, re-wraps everything that is sealed, and retires the other keys:
 *
 *   the key is in its source → the database knows it → batch after batch is re-wrapped → a scan finds nothing under
 *   another key → each other key is retired, in a transaction that fails while anything is under it
 *
 * It may be killed anywhere, and goes on when it is begun again: as long as the database knows another key than the newest
 * that is not retired, or has something under one, no new key is made. It works beside a server, which finds the new key
 * in the same source when it meets it, and beside another rotation: each step is compare-and-set, or does the same twice.
 */

const BATCH_ROWS = 100;
/** Rows that cannot be opened are remembered; there may be as many as rows. */
const FAILURES_MAX = 1000;
/** How often something may be sealed under an old key just before that is retired. */
const ROUNDS_MAX = 100;
/** How many batches in a row may find that somebody else has changed every row of theirs. */
const LOST_BATCHES_MAX = 100;

export interface RotationStore {
  credentials: Pick<CredentialStore, 'masterKeys' | 'addMasterKey'>;
  sealed: SealedStore;
}

export interface RotationParts {
  store: RotationStore;
  source: RotationSource;
  clock: Pick<Clock, 'now'>;
  random: Random;
}

/** What a rotation is about to do. */
export interface RotationPlan {
  /** Fingerprint of the master key that everything will be under. */
  to: string;
  /** Fingerprints of the others that the database knows. */
  from: readonly string[];
  /** The key that is put into the source; null: it is there, as an earlier rotation or an operator has left it. */
  added: WrittenKey | null;
}

/** Something that cannot be re-wrapped. */
export interface UnopenedRow {
  column: SealedColumn;
  id: string;
  /** Of a credential its provider, of a webhook secret its key's lineage; empty where there is none. */
  provider: string;
  reason: string;
}

export interface Rotation {
  to: string;
  /** Whether the key was put into the source by this rotation. */
  added: boolean;
  /** How many rows this rotation has re-wrapped. */
  resealed: number;
  /** Fingerprints of the keys that this rotation has retired. None where something could not be opened. */
  retired: readonly string[];
  /** What the final scan of every encrypted column found. */
  scan: readonly SealedCount[];
  /** The first thousand at most. */
  unopened: readonly UnopenedRow[];
}

/** Decides what is to be done, and changes nothing. Throws `vault_unavailable` where nothing can, or need, be done. */
export async function planRotation(
  { store, source, random }: Omit<RotationParts, 'clock'>,
  { newKey }: { newKey: WrittenKey | null },
): Promise<RotationPlan> {
  const keys = source.keys();
  const [newest] = keys;
  const needed = await fingerprintsInUse(store);
  if (needed.length > 0 && !keys.some(({ fingerprint }) => needed.includes(fingerprint))) {
    throw otherKeys(source, needed);
  }
  const plan = (to: MasterKey, added: WrittenKey | null): RotationPlan => {
    return { to: to.fingerprint, from: needed.filter((fingerprint) => fingerprint !== to.fingerprint), added };
  };
  const isUnfinished = needed.some((fingerprint) => fingerprint !== newest.fingerprint);
  const isNewest = newKey?.key.fingerprint === newest.fingerprint;
  if (isUnfinished && (newKey === null || isNewest)) return plan(newest, null);
  if (source.adding === null) throw nothingNewer(source, newest);
  const added = newKey ?? makeKey(random);
  if (keys.some(({ fingerprint }) => fingerprint === added.key.fingerprint)) throw oldKey(added, isNewest);
  await source.adding.check();
  return plan(added.key, added);
}

/** Does it. Throws `vault_unavailable` where it cannot go on; begun again, it goes on from there. */
export async function rotateMasterKey(
  { to, added }: RotationPlan,
  { store, source, clock, random }: RotationParts,
): Promise<Rotation> {
  const takeAway = added === null ? null : await source.adding?.add(added);
  await recordNewest({ to, source, store, takeAway: takeAway ?? null });
  const rewrapper = createRewrapper({ to, source, sealed: store.sealed, random });
  const retired = new Set<string>();
  for (let round = 1; ; round++) {
    const unopened = await rewrapper.rewrapAll();
    const rotation = { to, added: added !== null, resealed: rewrapper.resealed(), unopened };
    if (unopened.length > 0) {
      return { ...rotation, retired: [], scan: await store.sealed.countByMasterKey() };
    }
    const scan = await store.sealed.countByMasterKey();
    if (scan.every(({ fingerprint }) => fingerprint === to)) {
      if (await retireOthers({ to, store, retired, at: clock.now() })) {
        return { ...rotation, retired: [...retired], scan };
      }
    }
    if (round >= ROUNDS_MAX) throw neverEnding(to);
  }
}

/** Every key that the database knows, or has something under, and that is not retired. */
async function fingerprintsInUse({ credentials, sealed }: RotationStore): Promise<string[]> {
  const counts = await sealed.countByMasterKey();
  return [...new Set([...(await credentials.masterKeys()), ...counts.map(({ fingerprint }) => fingerprint)])];
}

/** After the key is in its source: a key that the database knows and nobody has would keep servers from starting. */
async function recordNewest({
  to,
  source,
  store: { credentials },
  takeAway,
}: {
  to: string;
  source: RotationSource;
  store: RotationStore;
  takeAway: (() => Promise<void>) | null;
}): Promise<void> {
  await credentials.addMasterKey(to);
  if ((await credentials.masterKeys()).includes(to)) return;
  await takeAway?.();
  throw unusable(
    `The master key ${to} was retired by an earlier rotation, and is never used again. ` +
      `Put another one first in ${source.name}, or let \`rungate vault rotate\` make one.`,
  );
}

/** Re-wraps whatever is not under the newest master key, and remembers what cannot be. */
function createRewrapper({
  to,
  source,
  sealed,
  random,
}: {
  to: string;
  source: RotationSource;
  sealed: SealedStore;
  random: Random;
}) {
  const keys = new Map(source.keys().map((key) => [key.fingerprint, key]));
  const newest = keys.get(to);
  if (newest === undefined) throw new Error(`the master key ${to} is not in its source`);
  const failures = new Map<string, UnopenedRow>();
  let resealed = 0;

  function rewrapOne(row: SealedRow): Uint8Array | null {
    try {
      const fingerprint = fingerprintOf(row.sealed);
      const from = keys.get(fingerprint);
      if (from === undefined) throw new BrokenSealError(`its master key ${fingerprint} is not there`);
      return rewrap(row.sealed, row.place, { from, to: newest as MasterKey, random });
    } catch (error) {
      if (!(error instanceof BrokenSealError)) throw error;
      failures.set(nameOf(row), unopenedOf(row, error.message));
      return null;
    }
  }

  async function rewrapBatch(rows: readonly SealedRow[]): Promise<number> {
    const changes = rows.flatMap((row) => {
      const again = rewrapOne(row);
      return again === null ? [] : [{ row, sealed: again }];
    });
    return changes.length === 0
      ? 0
      : sealed.reseal(changes).catch((error: unknown) => Promise.reject(lostTo(to, error)));
  }

  return {
    resealed: () => resealed,
    /** Resolves to what is left: what cannot be opened. */
    async rewrapAll(): Promise<UnopenedRow[]> {
      for (let lost = 0; ;) {
        const rows = await sealed.others(to, BATCH_ROWS + failures.size);
        const open = rows.filter((row) => !failures.has(nameOf(row)));
        if (open.length === 0 || failures.size >= FAILURES_MAX) {
          // What was removed meanwhile is no fault any more.
          return rows.flatMap((row) => failures.get(nameOf(row)) ?? []).slice(0, FAILURES_MAX);
        }
        const known = failures.size;
        const changed = await rewrapBatch(open);
        resealed += changed;
        lost = changed === 0 && failures.size === known ? lost + 1 : 0;
        if (lost >= LOST_BATCHES_MAX) throw neverEnding(to);
      }
    },
  };
}

/** False where something came under one of them at the last moment. */
async function retireOthers({
  to,
  store: { credentials, sealed },
  retired,
  at,
}: {
  to: string;
  store: RotationStore;
  retired: Set<string>;
  at: number;
}): Promise<boolean> {
  for (const fingerprint of await credentials.masterKeys()) {
    if (fingerprint === to) continue;
    if (!(await sealed.retireMasterKey(fingerprint, at))) return false;
    retired.add(fingerprint);
  }
  return true;
}

function nameOf({ column, place: { id, provider } }: SealedRow): string {
  return JSON.stringify([column, provider, id]);
}

function unopenedOf({ column, place: { id, provider } }: SealedRow, reason: string): UnopenedRow {
  return { column, id, provider, reason };
}

function otherKeys({ name }: RotationSource, needed: readonly string[]): Error {
  return unusable(
    `The database needs the master key ${needed.join(' or ')}, and ${name} holds none of them. ` +
      'Nothing was done: put that key back first.',
  );
}

function nothingNewer({ name }: RotationSource, { fingerprint }: MasterKey): Error {
  return unusable(
    `The newest key that ${name} gives is ${fingerprint}, and everything is under it already. Let the command print a new ` +
      'key (openssl rand -base64 32 makes one) on its first line, and the old ones on the lines below; then rotate again.',
  );
}

function oldKey({ key }: WrittenKey, isNewest: boolean): Error {
  const use = isNewest ? 'is the newest master key already, and nothing is under another one' : 'is an old master key';
  return unusable(`The key ${key.fingerprint} ${use}. Nothing was done: a new master key was never used before.`);
}

function lostTo(to: string, error: unknown): unknown {
  if (!(error instanceof RetiredMasterKeyError)) return error;
  return unusable(
    `The master key ${to} was retired meanwhile by another rotation. Rotate again where one is needed.`,
    error,
  );
}

function neverEnding(to: string): Error {
  return unusable(
    `Something is sealed again and again under another master key than ${to}. Look for a server that does not have this ` +
      'key in its source, give it the key, and rotate again: it goes on from here.',
  );
}

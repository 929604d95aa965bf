import { pause, type Clock } from '../core/clock.ts';
import { isStoreUnavailable } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import { canonicalJson, type Json } from '../core/json.ts';
import type { Log } from '../core/log.ts';
import type { EngineLimits } from './limits.ts';
import type { NewEvent, Run } from './model.ts';
import type { RunStore } from './ports.ts';

/**
 * Writes a vendor's stream into the log of its run.
 *
 * Small pieces are gathered, by time and by size, before they are stored: a commit for each token would cost more than
 * the token. One timer serves all streams. Invariants: events are stored in the order in which they were said, each
 * once, one append of a run at a time; nothing is held of an event that is on disk; whoever reads a stream waits in
 * `ready` while more than a few groups are not yet on disk, so that a slow disk slows the vendor and not fills memory.
 */
export interface OutputLogs {
  open(run: Run): OutputLog;
}

export interface OutputLog {
  /** A piece of the answer. */
  delta(text: string): void;
  /** A step of the vendor's, behind everything said before. */
  progress(name: string, data: Json): void;
  /** Resolves when there is room for more. */
  ready(): Promise<void>;
  /** Resolves when everything said so far is on disk, or will never be. */
  flush(): Promise<void>;
  /** The run has ended or is another's: nothing more is stored. */
  readonly stale: boolean;
}

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;
/** Groups of one stream that may wait for the disk. */
const GROUPS_WAITING_MAX = 4;
/** Events of one append. */
const APPEND_MAX = 100;

interface Parts {
  store: Pick<RunStore, 'append' | 'eventsAfter' | 'peek'>;
  clock: Clock;
  log: Log;
  owner: Owner;
  limits: Pick<EngineLimits, 'deltaGroupMs' | 'deltaGroupCharacters'>;
  /** Aborted when the process gives up writing. */
  stopped: AbortSignal;
}

export function createOutputLogs(parts: Parts): OutputLogs {
  const { clock, limits } = parts;
  const gathering = new Set<() => void>();
  let ticking = false;

  function tick(): void {
    ticking = false;
    for (const store of gathering) store();
    gathering.clear();
  }

  /** Stores when the time of the group is over. */
  function later(store: () => void): void {
    gathering.add(store);
    if (ticking) return;
    ticking = true;
    clock.after(limits.deltaGroupMs, tick);
  }

  return { open: (run) => openLog(parts, run, later) };
}

function openLog(parts: Parts, run: Run, later: (store: () => void) => void): OutputLog {
  const { clock, limits } = parts;
  let waiting: NewEvent[] = [];
  let characters = 0;
  let stale = false;
  /** How many events there were, and how many of them are on disk. */
  let said = 0;
  let stored = 0;
  /** Of the log as it is known: none of our next events can be before it. */
  let seq = run.seq;
  let storing: Promise<void> | null = null;
  /** Resolves when the group that is being stored is on disk, or never will be. */
  let nextGroup = Promise.withResolvers<void>();

  function add(event: NewEvent, length: number): void {
    if (stale) return;
    said += 1;
    waiting.push(event);
    characters += length;
    if (characters >= limits.deltaGroupCharacters) storeSoon();
    else later(storeSoon);
  }

  /** One function for each log, because those that wait for the end of the group's time are a set. */
  const storeSoon = () => void store();

  function store(): Promise<void> {
    return (storing ??= storeAll()
      .catch((cause: unknown) => {
        parts.log.error({ err: cause, run_id: run.id }, 'streamed output could not be stored');
        stale = true;
        waiting = [];
      })
      .finally(() => (storing = null)));
  }

  async function storeAll(): Promise<void> {
    while (waiting.length > 0 && !stale) {
      const group = waiting.slice(0, APPEND_MAX);
      waiting = waiting.slice(APPEND_MAX);
      characters = waiting.reduce((sum, event) => sum + lengthOf(event), 0);
      const last = await appendOnce(parts, run.id, { group, after: seq });
      nextGroup.resolve();
      nextGroup = Promise.withResolvers<void>();
      if (last === null) {
        stale = true;
        waiting = [];
      } else {
        seq = last;
        stored += group.length;
      }
    }
  }

  const isBehind = (count: number) => !stale && stored < count;

  return {
    delta(text) {
      const last = waiting.at(-1);
      if (last?.type === 'run.output.delta' && lengthOf(last) < limits.deltaGroupCharacters) {
        last.data = { text: textOf(last) + text };
        characters += text.length;
        if (characters >= limits.deltaGroupCharacters) void store();
      } else add({ type: 'run.output.delta', at: clock.now(), data: { text } }, text.length);
    },
    progress(name, data) {
      const event: NewEvent = { type: 'run.progress', at: clock.now(), data: { name, data } };
      add(event, lengthOf(event));
    },
    async ready() {
      while (!stale && characters > GROUPS_WAITING_MAX * limits.deltaGroupCharacters) await store();
    },
    async flush() {
      // Not for what is said meanwhile: a stream may never pause.
      const saidByNow = said;
      while (isBehind(saidByNow)) await Promise.race([nextGroup.promise, store()]);
    },
    get stale() {
      return stale;
    },
  };
}

function textOf({ data }: NewEvent): string {
  return (data as { text: string }).text;
}

function lengthOf(event: NewEvent): number {
  return event.type === 'run.output.delta' ? textOf(event).length : JSON.stringify(event.data).length;
}

/**
 * Appends a group exactly once, however long the store needs; null: the run takes no more. Where the answer to an append
 * is lost, the log tells whether it happened.
 */
async function appendOnce(
  { store, clock, log, owner, stopped }: Parts,
  id: RunId,
  { group, after }: { group: readonly NewEvent[]; after: number },
): Promise<number | null> {
  let doubtful = false;
  for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
    try {
      const written = doubtful ? await findGroup(store, id, { group, after }) : null;
      if (written !== null) return written;
      const last = await store.append(id, owner, group);
      return last === 'stale' ? null : last;
    } catch (cause) {
      if (!isStoreUnavailable(cause)) throw cause;
      if (stopped.aborted) return null;
      log.warn({ err: cause, run_id: id }, 'store unavailable, streamed output is kept and written again');
      doubtful = true;
    }
    await pause(clock, waitMs, stopped);
  }
}

/** The last number of the group where it is in the log already; only moves can be between `after` and it. */
async function findGroup(
  store: Parts['store'],
  id: RunId,
  { group, after }: { group: readonly NewEvent[]; after: number },
): Promise<number | null> {
  const first = group[0];
  const events = await store.eventsAfter(id, after, 1_000);
  const found = events.find(
    (event) =>
      first !== undefined &&
      event.type === first.type &&
      event.at === first.at &&
      canonicalJson(event.data) === canonicalJson(first.data),
  );
  return found === undefined ? null : found.seq + group.length - 1;
}

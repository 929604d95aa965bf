import type { Clock } from '../../../src/core/clock.ts';
import type { RunId } from '../../../src/core/ids.ts';
import type { Care, Run, RunEvent, RunStatus, RunWithPayloads } from '../../../src/runs/model.ts';
import type { Change, CountedStart, IdempotencyClaim, RunStore } from '../../../src/runs/ports.ts';
import { checkMessages, journalledDeliveries, type DeliveryNoted } from './journal-deliveries.ts';
import type { StartNoted } from './journal-starts.ts';
import type { VendorStream } from './vendor-stream.ts';

/** How a resume came back to the process that sent it. */
export type ResumeAnswer = 'taken' | 'refused' | 'unsent' | 'aborted_unsent' | 'unknown';

/** What happened, in one order: what was committed, and what was sent to a vendor and came back. */
export type Noted =
  | {
      is: 'moved';
      at: number;
      process: number;
      id: RunId;
      vendorRun: string | null;
      from: { status: RunStatus; step: Care['step']; key: string | null };
      status: RunStatus;
      step: Care['step'];
      /** The process that wrote it goes on with the run. */
      kept: boolean;
      /** The key of a resume that the commit claimed, or gave back. */
      claimed: string | null;
      gaveBack: string | null;
    }
  | {
      is: 'resume_sent';
      process: number;
      number: number;
      vendorRun: string;
      token: string;
      /** How many waitings of the run had begun at the vendor. */
      waitings: number;
      /** The vendor's reads lag behind: it may tell of a waiting that is over. */
      lags: boolean;
    }
  | { is: 'resume_taken'; number: number; vendorRun: string; token: string; waiting: number }
  | { is: 'resume_answered'; process: number; number: number; vendorRun: string; how: ResumeAnswer };

/** Who attends a run, as far as the process that serves it can know. */
export interface AttendanceNoted {
  is: 'attended' | 'joined' | 'answered' | 'left' | 'followed' | 'unfollowed' | 'cancel_asked';
  at: number;
  process: number;
  id: RunId;
}

/** A run with its log, as it was at the end, or when its record was removed. */
export interface RunHistory {
  run: RunWithPayloads;
  events: RunEvent[];
  removed: boolean;
}

export interface Journal {
  readonly entries: Noted[];
  readonly starts: StartNoted[];
  readonly streams: VendorStream[];
  readonly deliveries: DeliveryNoted[];
  readonly attendance: AttendanceNoted[];
  /** How many entries there were when a process began to drain. */
  readonly draining: Map<number, number>;
  /** When a process began to drain, or was killed. */
  readonly stopped: Map<number, number>;
  /** Every run that was written, whether or not anybody was told. */
  readonly created: Set<RunId>;
  readonly removed: Map<RunId, RunHistory>;
  readonly complaints: string[];
}

export function emptyJournal(): Journal {
  return {
    entries: [],
    starts: [],
    streams: [],
    deliveries: [],
    attendance: [],
    draining: new Map(),
    stopped: new Map(),
    created: new Set(),
    removed: new Map(),
    complaints: [],
  };
}

/** One process's way to the durable store, which notes every commit, even where its answer is lost on the way back. */
export function journalledStore(
  inner: RunStore,
  journal: Journal,
  { process, clock, claims }: { process: number; clock: Clock; claims: Map<string, IdempotencyClaim> },
): RunStore {
  function noteRow(run: Run, counted: CountedStart | null, created: boolean): void {
    journal.starts.push({ is: 'row', at: clock.now(), process, run, counted, created });
  }

  function note(from: Run, moved: Run, change: Change, claimed: string | null): void {
    noteRow(moved, change.countedStart ?? null, false);
    journal.entries.push({
      is: 'moved',
      at: clock.now(),
      process,
      id: moved.id,
      vendorRun: moved.upstream.runId,
      from: {
        status: from.status,
        step: from.care.step,
        key: from.care.step === 'resume' ? (from.care.key?.key ?? null) : null,
      },
      status: moved.status,
      step: moved.care.step,
      kept: moved.owner !== null,
      claimed,
      gaveBack: typeof change.giveBackKey === 'object' ? change.giveBackKey.resume.key : null,
    });
  }

  /** What was given back must be free for the next request, at once. */
  async function checkGivenBack(change: Change): Promise<void> {
    if (typeof change.giveBackKey !== 'object') return;
    const { key } = change.giveBackKey.resume;
    const claim = claims.get(key);
    const at = journal.entries.length;
    if (!claim || (await inner.findByKey(claim)) === null) return;
    const again = journal.entries.slice(at).some((entry) => entry.is === 'moved' && entry.claimed === key);
    if (!again) journal.complaints.push(`the key ${key} was given back and is still taken`);
  }

  return {
    ...inner,
    ...journalledDeliveries(inner, journal, { process, clock }),
    async create(run, options) {
      const written = await inner.create(run, options);
      if (written.kind !== 'created') return written;
      journal.created.add(written.run.id);
      noteRow(written.run, run.countedStart, true);
      return written;
    },
    async move(from, change) {
      const moved = await inner.move(from, change);
      if (moved === 'stale') return moved;
      note(from.run, moved, change, null);
      await checkGivenBack(change);
      await checkMessages(inner, journal, { run: from.run, change });
      return moved;
    },
    async claimQueued(owner, wanted) {
      const runs = await inner.claimQueued(owner, wanted);
      for (const { id, provider, lineage } of runs)
        journal.starts.push({ is: 'claimed', at: clock.now(), process, id, provider, lineage });
      return runs;
    },
    async moveOnce(from, change, claim) {
      const result = await inner.moveOnce(from, change, claim);
      if (result === 'stale' || result.kind !== 'moved') return result;
      claims.set(claim.key, claim);
      note(from.run, result.run, change, claim.key);
      await checkMessages(inner, journal, { run: from.run, change });
      return result;
    },
    async remove(id) {
      const run = await inner.get(id);
      const events = await inner.eventsAfter(id, 0, 1_000);
      const result = await inner.remove(id);
      if (result === 'removed' && run) {
        journal.removed.set(id, { run, events, removed: true });
        journal.starts.push({ is: 'deleted', at: clock.now(), id });
      }
      return result;
    },
  };
}

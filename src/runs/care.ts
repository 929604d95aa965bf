import type { Clock } from '../core/clock.ts';
import { errorBodyOf, GatewayError, isStoreUnavailable } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { OutboundAnswer } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { AnyProviderKind, Operation } from '../providers/define-provider.ts';
import { recoverOpenAttempt } from './after-start.ts';
import { rateLimitSeen, readAnswer, vendorError } from './answers.ts';
import { afterRead, isRefusedRead, type ReadResult } from './after-read.ts';
import type { Attempts } from './attempts.ts';
import { logFailure, logUnreadable } from './call-once.ts';
import type { Flights } from './flights.ts';
import { hasNotBegun } from './has-not-begun.ts';
import { afterUnknownResume } from './resume.ts';
import { endAtDeadline, type Moment } from './changes.ts';
import { hasEnded, type Run } from './model.ts';
import type { Mover } from './mover.ts';
import type { Change } from './ports.ts';
import type { ReadOperation, VendorCalls } from './vendor-calls.ts';

/**
 * Cares for a claimed run, once: its row says what is next (`care.step`), and afterwards the row says
 * it again with a new due time. Reads are patient: a poll's failure is never the run's.
 */
export interface Carer {
  attend(run: Run): Promise<void>;
  /** Polls a run that is followed. Resolves to it where it is kept, with the time until its next poll is due; else to null. */
  poll(run: Run, options: PollOptions): Promise<{ run: Run; dueInMs: number } | null>;
}

export interface PollOptions {
  /** The run stays ours while it goes on. */
  keep: boolean;
  /** Awaited before what the vendor answered is written. */
  before?: () => Promise<void>;
  /** Gives the call up. */
  signal?: AbortSignal;
}

const FAULT_WAIT_MS = 5_000;
/** A read is given up after this long, however its answer trickles, and at the run's deadline. */
const READ_MS_MAX = 60_000;

export interface CarerParts {
  mover: Mover;
  attempts: Attempts;
  flights: Flights;
  calls: VendorCalls;
  /** Follows the run if that is of use; false: it is to be polled. */
  follow: (run: Run) => boolean;
  isFollowed: (id: RunId) => boolean;
  kindOf: (run: Run) => AnyProviderKind;
  clock: Clock;
  random: Random;
  log: Log;
  owner: Owner;
  stopped: AbortSignal;
}

export function createCarer(parts: CarerParts): Carer {
  const { mover, attempts, clock, stopped } = parts;

  const settle = (run: Run, decide: (run: Run) => Change | null) => mover.settle(run, decide, stopped);

  /** A fault of our own must not leave the row with an owner and without a due time. */
  async function attend(run: Run): Promise<void> {
    try {
      await careFor(run);
    } catch (cause) {
      parts.log[isStoreUnavailable(cause) ? 'warn' : 'error'](
        { err: cause, run_id: run.id },
        'run could not be cared for',
      );
      await settle(run, (latest) =>
        latest.owner === parts.owner && !parts.flights.has(run.id)
          ? { status: latest.status, patch: {}, events: [], owner: null, dueInMs: FAULT_WAIT_MS }
          : null,
      );
    }
  }

  async function careFor(run: Run): Promise<void> {
    if (hasEnded(run)) return;
    if (run.deadlineAt <= clock.now()) {
      await settle(run, (latest) => atDeadline(parts, latest));
      return;
    }
    switch (run.care.step) {
      case 'start':
        return attendStart(run);
      case 'poll':
        if (parts.follow(run)) return;
        return read(run, 'poll');
      case 'cancel':
        return read(run, run.care.next === 'look' ? 'poll' : 'cancel');
      case 'lookup':
      case 'pause':
        return read(run, run.care.step);
      case 'resume':
        // Of a process that is gone: the resume may have been taken.
        await settle(run, (latest) =>
          stillOurs(parts, latest, run) ? afterUnknownResume(latest, momentOf(parts, latest, null)) : null,
        );
        return;
      case 'none':
        return;
    }
  }

  async function attendStart(run: Run): Promise<void> {
    if (run.status !== 'cancelling' && hasNotBegun(run)) {
      return attempts.begin(run);
    }
    await settle(run, (latest) =>
      stillOurs(parts, latest, run) ? recoverOpenAttempt(latest, momentOf(parts, latest, null)) : null,
    );
  }

  async function poll(run: Run, { keep, before, signal }: PollOptions) {
    const { reading, answer } = await callVendor(parts, run, { operation: 'poll', signal });
    await before?.();
    let dueInMs = 0;
    const moved = await settle(run, (latest) => {
      const change = afterRead(latest, { reading, answer, operation: 'poll' }, momentOf(parts, latest, answer));
      if (!stillOurs(parts, latest, run)) return hasEnded(change) ? change : null;
      if (!keep || change.status !== 'running') return change;
      dueInMs = change.dueInMs ?? 0;
      return { ...change, owner: parts.owner, dueInMs: null };
    });
    return moved?.status === 'running' && moved.owner === parts.owner ? { run: moved, dueInMs } : null;
  }

  async function read(run: Run, operation: ReadOperation): Promise<void> {
    const result = await callVendor(parts, run, { operation });
    await settle(run, (latest) => {
      const change = afterRead(latest, { ...result, operation }, momentOf(parts, latest, result.answer));
      return stillOurs(parts, latest, run) || hasEnded(change) ? change : null;
    });
  }

  return { attend, poll };
}

/**
 * Whether this process is still the one to say what comes next. Where a command was faster and gave the
 * row away, its wish stands in the row, and only the run's end is news to it; also where the row has come
 * back since, for what was read before is old. Until the vendor's id is known, a cancel leaves the row with its carer.
 */
function stillOurs({ owner }: CarerParts, latest: Run, asked: Run): boolean {
  const isAsAsked = latest.version === asked.version || latest.upstream.runId === null;
  return latest.owner === owner && latest.care.step === asked.care.step && isAsAsked;
}

async function callVendor(
  parts: CarerParts,
  run: Run,
  { operation, signal }: { operation: ReadOperation; signal?: AbortSignal | undefined },
): Promise<ReadResult> {
  const kind = parts.kindOf(run);
  const late = new AbortController();
  const leftMs = Math.max(0, run.deadlineAt - parts.clock.now());
  const stopTimer = parts.clock.after(Math.min(leftMs, READ_MS_MAX), () => late.abort());
  const given = AbortSignal.any([parts.stopped, ...(signal ? [signal] : [])]);
  try {
    const answer = await parts.calls.read(run, operation, kind, AbortSignal.any([given, late.signal]));
    const reading = readAnswer(kind[operation] as Operation<never>, answer);
    logUnreadable(parts.log, run, { operation, answer, reading });
    // Once, until it tells again: the run would time out, and nobody could tell why.
    const tells = operation === 'poll' || operation === 'lookup';
    if (tells && run.upstream.pollError === null && isRefusedRead(answer)) {
      const about = { run_id: run.id, provider: run.provider, credential: run.credentialId, operation };
      parts.log.warn({ ...about, status: answer.status }, 'the vendor refuses to tell how a run goes');
    }
    return { answer, reading };
  } catch (cause) {
    if (!given.aborted) logFailure(parts.log, run, { operation, cause });
    const isCutShort = given.aborted || (late.signal.aborted && leftMs <= READ_MS_MAX);
    if (isCutShort) return { answer: null, reading: { is: 'cut_short' } };
    const error = cause instanceof GatewayError ? errorBodyOf(cause, { provider: run.provider }) : null;
    return { answer: null, reading: { is: 'failed', error } };
  } finally {
    stopTimer();
  }
}

function atDeadline({ kindOf, clock }: CarerParts, run: Run): Change | null {
  if (run.deadlineAt > clock.now()) return null;
  const open = run.care.step === 'lookup' ? vendorError(run.care.cause, kindOf(run), run.provider) : null;
  return endAtDeadline(run, open, clock.now());
}

function momentOf({ clock, random, kindOf, isFollowed }: CarerParts, run: Run, answer: OutboundAnswer | null): Moment {
  const kind = kindOf(run);
  const nowMs = clock.now();
  const rateLimit = answer ? rateLimitSeen(kind, answer, nowMs) : null;
  return { nowMs, random, kind, rateLimit, followed: isFollowed(run.id) };
}

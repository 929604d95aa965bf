import type { Clock } from '../core/clock.ts';
import { errorBodyOf, GatewayError, type ErrorBody } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { OutboundAnswer } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { AnyProviderKind, Operation } from '../providers/define-provider.ts';
import { recoverOpenAttempt } from './after-start.ts';
import { rateLimitSeen, readAnswer, retryAfter, startErrorCode, vendorError, type Reading } from './answers.ts';
import type { Attempts } from './attempts.ts';
import { logFailure } from './call-once.ts';
import type { Flights } from './flights.ts';
import { hasNotBegun } from './has-not-begun.ts';
import { afterUnknownResume } from './resume.ts';
import { applyOutcome, end, endAtDeadline, nextPoll, schedule, type Moment } from './changes.ts';
import { hasEnded, type Care, type Run } from './model.ts';
import type { Mover } from './mover.ts';
import type { Change } from './ports.ts';
import type { ReadOperation, VendorCalls } from './vendor-calls.ts';

/**
 * Cares for a claimed run, once: its row says what is next (`care.step`), and afterwards the row says
 * it again with a new due time. Reads are patient: a poll's failure is never the run's.
 */
export interface Carer {
  attend(run: Run): Promise<void>;
  /** Polls a run that is followed. `keep`: it stays ours while it goes on. Resolves to the run where it does, and is ours. */
  poll(run: Run, options: { keep: boolean }): Promise<Run | null>;
}

/** So many 404s in a row mean that the vendor has forgotten the run. */
const NOT_FOUND_MAX = 3;
/** After a broken start, a vendor may need this long to know our id. */
const LOOKUP_PATIENCE_MS = 30_000;
/** A vendor that cannot be made to pause is not asked for ever: the run goes on without. */
const PAUSE_TRIES_MAX = 3;
const FAULT_WAIT_MS = 5_000;
/** A read is given up after this long, however its answer trickles, and at the run's deadline. */
const READ_MS_MAX = 60_000;

interface ReadResult {
  /** `cut_short`: ended by ourselves, at the run's deadline or because the process stops, so that nothing was learnt. */
  reading: Reading | { is: 'failed'; error: ErrorBody | null } | { is: 'cut_short' };
  answer: OutboundAnswer | null;
}

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
      const storeIsDown = cause instanceof GatewayError && cause.code === 'store_unavailable';
      parts.log[storeIsDown ? 'warn' : 'error']({ cause, run_id: run.id }, 'run could not be cared for');
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

  async function poll(run: Run, { keep }: { keep: boolean }): Promise<Run | null> {
    const { reading, answer } = await callVendor(parts, run, 'poll');
    const moved = await settle(run, (latest) => {
      const change = afterRead(parts, latest, { reading, answer, operation: 'poll' });
      if (!stillOurs(parts, latest, run)) return hasEnded(change) ? change : null;
      return keep && change.status === 'running' ? { ...change, owner: parts.owner, dueInMs: null } : change;
    });
    return moved?.status === 'running' && moved.owner === parts.owner ? moved : null;
  }

  async function read(run: Run, operation: ReadOperation): Promise<void> {
    const result = await callVendor(parts, run, operation);
    await settle(run, (latest) => {
      const change = afterRead(parts, latest, { ...result, operation });
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

async function callVendor(parts: CarerParts, run: Run, operation: ReadOperation): Promise<ReadResult> {
  const kind = parts.kindOf(run);
  const late = new AbortController();
  const leftMs = Math.max(0, run.deadlineAt - parts.clock.now());
  const stopTimer = parts.clock.after(Math.min(leftMs, READ_MS_MAX), () => late.abort());
  try {
    const answer = await parts.calls.read(run, operation, kind, AbortSignal.any([parts.stopped, late.signal]));
    return { answer, reading: readAnswer(kind[operation] as Operation<never>, answer) };
  } catch (cause) {
    if (!parts.stopped.aborted) logFailure(parts.log, run, { operation, cause });
    const isCutShort = parts.stopped.aborted || (late.signal.aborted && leftMs <= READ_MS_MAX);
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

function afterRead(
  parts: CarerParts,
  run: Run,
  { reading, answer, operation }: ReadResult & { operation: ReadOperation },
): Change {
  const moment = momentOf(parts, run, answer);
  switch (reading.is) {
    case 'outcome': {
      const { outcome } = reading;
      // A look-up that finds the run has learnt its id, even where the answer does not repeat it.
      return applyOutcome(
        run,
        operation === 'lookup' ? { ...outcome, runId: outcome.runId ?? run.id } : outcome,
        moment,
      );
    }
    case 'refused':
      if (operation === 'cancel' && isRefusal(reading.status)) return cancelRefused(run, moment);
      if (operation === 'pause' && reading.status < 500 && reading.status !== 429) {
        return pollAtOnce(run, moment, pollErrorOf(parts, run, answer));
      }
      // Only a read tells that the vendor has forgotten the run: who may not cancel it may be told the same.
      if (reading.status === 404 && operation !== 'cancel') return afterNotFound(run, moment);
      return tryAgain(run, moment, answer, pollErrorOf(parts, run, answer));
    case 'failed':
      return tryAgain(run, moment, answer, reading.error);
    case 'cut_short':
      // A cancel that has left may have been taken, which the next read tells.
      return schedule(run, run.status, operation === 'cancel' ? { care: triedAgain(run.care) } : {}, moment);
    case 'unreadable':
    case 'broken':
      // A 2xx has taken the cancel or the pause, whatever its body says: what became of it shows in the next poll.
      if (operation === 'cancel' || operation === 'pause') return pollAtOnce(run, moment);
      return tryAgain(run, moment, answer, null);
  }
}

/** A 4xx that speaks of the run's state, not of the credential, the load or the path. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 402, 403, 404, 408, 429].includes(status);
}

function pollErrorOf(parts: CarerParts, run: Run, answer: OutboundAnswer | null): ErrorBody | null {
  if (!answer || ![401, 402, 403].includes(answer.status)) return null;
  return vendorError(startErrorCode(answer.status), parts.kindOf(run), run.provider, answer);
}

/** Later, by the back-off or the vendor's `Retry-After`, whichever is longer. */
function tryAgain(run: Run, moment: Moment, answer: OutboundAnswer | null, pollError: ErrorBody | null): Change {
  const upstream = { ...run.upstream, pollError, rateLimit: moment.rateLimit ?? run.upstream.rateLimit };
  const change = schedule(run, run.status, { upstream, care: triedAgain(run.care) }, moment);
  const askedMs = (answer ? (retryAfter(answer, moment.nowMs) ?? 0) : 0) * 1000;
  const untilDeadlineMs = Math.max(0, run.deadlineAt - moment.nowMs);
  return { ...change, dueInMs: Math.min(Math.max(change.dueInMs ?? 0, askedMs), untilDeadlineMs) };
}

function triedAgain(care: Care): Care {
  switch (care.step) {
    case 'lookup':
      return { ...care, tries: care.tries + 1, unknownSince: null };
    case 'poll':
      return { ...care, tries: care.tries + 1, notFound: 0 };
    case 'pause':
      return care.tries + 1 < PAUSE_TRIES_MAX
        ? { ...care, tries: care.tries + 1 }
        : { step: 'poll', tries: 1, notFound: 0 };
    case 'cancel':
      return { ...care, tries: care.tries + 1, next: care.next === 'ask' ? 'look' : 'ask' };
    case 'resume':
    case 'start':
    case 'none':
      return care;
  }
}

function afterNotFound(run: Run, moment: Moment): Change {
  const { care } = run;
  const { nowMs, kind } = moment;
  if (care.step === 'lookup') {
    const unknownSince = care.unknownSince ?? nowMs;
    if (nowMs - unknownSince >= LOOKUP_PATIENCE_MS) {
      return end(run, 'failed', { error: vendorError(care.cause, kind, run.provider) }, nowMs);
    }
    const next = schedule(run, run.status, { care: { ...care, tries: care.tries + 1, unknownSince } }, moment);
    // The last question falls on the end of the patience, not a back-off later.
    const patienceMs = unknownSince + LOOKUP_PATIENCE_MS - nowMs;
    return { ...next, dueInMs: Math.min(next.dueInMs ?? 0, patienceMs) };
  }
  const notFound = 'notFound' in care ? care.notFound + 1 : 1;
  if (notFound >= NOT_FOUND_MAX) {
    return end(run, 'failed', { error: vendorError('upstream_run_not_found', kind, run.provider) }, nowMs);
  }
  const counted: Care =
    care.step === 'cancel' ? { ...care, next: 'ask', tries: care.tries + 1, notFound } : { ...nextPoll(run), notFound };
  return schedule(run, run.status, { care: counted }, moment);
}

function pollAtOnce(run: Run, moment: Moment, pollError: ErrorBody | null = null): Change {
  const upstream = pollError ? { ...run.upstream, pollError } : run.upstream;
  return schedule(run, run.status, { care: nextPoll(run), upstream }, moment, 0);
}

/** The run returns to its state and is polled at once: most often it has just ended. */
function cancelRefused(run: Run, moment: Moment): Change {
  const from = run.care.step === 'cancel' ? run.care.from : 'running';
  const change = schedule(
    run,
    from,
    { care: { step: 'poll', tries: 1, notFound: 0 }, upstream: { ...run.upstream, stopped: false } },
    moment,
    0,
  );
  if (run.status !== 'cancelling') return change;
  const at = moment.nowMs;
  const event =
    from === 'waiting'
      ? { type: 'run.waiting' as const, at, data: { waiting: run.waiting ? { ...run.waiting } : null } }
      : { type: 'run.resumed' as const, at, data: {} };
  return { ...change, events: [event] };
}
